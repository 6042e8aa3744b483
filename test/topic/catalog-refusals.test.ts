/** A catalogue by another hand, whose checksum is right: at every edge of what may stand in it, and what is said where it may not. */
import { describe, expect, it } from "vitest";
import { loadCore } from "../../src/core/load-core.ts";
import { decodeCatalog, encodeCatalog, isPartitionCount } from "../../src/topic/catalog-file.ts";

const core = await loadCore();
const ID = "AAECAwQFBgcICQoLDA0ODw";
const TOPIC = { name: "a", topicId: ID, partitions: 1, adopted: false, config: {} };
const BODY = { version: 1, nextProducerIdBlock: "5", topics: [TOPIC], deleting: [] };
type Json = Record<string, unknown>;

const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const toText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Names in alphabetical order, at every depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const json = value as Json;
  return Object.fromEntries(
    Object.keys(json)
      .sort()
      .map((name) => [name, sorted(json[name])]),
  );
}

function forged(body: Json): Uint8Array {
  const checksum = core.crc32c(toBytes(JSON.stringify(sorted(body)))).toString(16).padStart(8, "0"); // biome-ignore format: short
  return toBytes(JSON.stringify({ ...body, checksum }));
}

const decoded = (change: Json) => decodeCatalog(forged({ ...BODY, ...change }), core);
const topic = (change: Json) => decoded({ topics: [{ ...TOPIC, ...change }] });
const corrupt = (said: string) =>
  expect.objectContaining({ name: "CorruptionError", code: "BOOK_CORRUPT", file: "odradek.json", message: expect.stringContaining(said) });
const without = (json: Json, name: string): Json => Object.fromEntries(Object.entries(json).filter(([other]) => other !== name));

describe("a catalogue by another hand is read", () => {
  it("with what stands in it", () => {
    expect(decoded({})).toEqual({
      topics: [{ name: "a", topicId: ID, partitions: 1, overrides: {}, adopted: false }],
      deleting: [],
      nextProducerId: 5n,
      quotas: [],
    });
  });

  it.each(["0", "00", "0000000000000000005", "9223372036854775807"])("with the producer id %s", (nextProducerIdBlock) => {
    expect(decoded({ nextProducerIdBlock }).nextProducerId).toBe(BigInt(nextProducerIdBlock));
  });

  it.each([1, 2, 99_999, 100_000])("with %d partitions", (partitions) => {
    expect(topic({ partitions }).topics[0]?.partitions).toBe(partitions);
    expect(isPartitionCount(partitions)).toBe(true);
  });

  it("with settings, Infinity in words, and those alone", () => {
    const read = topic({ adopted: true, config: { retentionMs: "Infinity", flushMs: 5, cleanupPolicy: "compact" } }).topics[0];
    expect(read).toMatchObject({
      adopted: true,
      overrides: { retentionMs: Number.POSITIVE_INFINITY, flushMs: 5, cleanupPolicy: "compact" },
    });
    expect(Object.keys(read?.overrides ?? {})).toHaveLength(3);
  });

  it("with topics that are being deleted, and no others", () => {
    expect(decoded({ topics: [], deleting: ["b", "c"] })).toMatchObject({ topics: [], deleting: ["b", "c"] });
  });

  it("with quotas that nobody changes any more", () => {
    const { quotas } = decoded({ quotas: [{ clientId: null, requestPercentage: 0.5 }, { clientId: "x".repeat(249) }] });
    expect(quotas).toEqual([
      { clientId: null, quota: { requestPercentage: 0.5 } },
      { clientId: "x".repeat(249), quota: {} },
    ]);
    expect(quotas.every((each) => Object.isFrozen(each) && Object.isFrozen(each.quota))).toBe(true);
  });
});

describe("a catalogue by another hand is refused", () => {
  it.each(["version", "nextProducerIdBlock", "topics", "deleting"])("without %s, whatever else is right", (name) => {
    const missing = name === "version" ? "expected version 1, found nothing" : `"${name}" is none of them or is missing`;
    expect(() => decodeCatalog(forged(without(BODY, name)), core)).toThrow(corrupt(missing));
  });

  it.each(["topicId", "partitions", "adopted", "config"])("where a topic has no %s", (name) => {
    expect(() => decoded({ topics: [without(TOPIC, name)] })).toThrow(corrupt(`topic "a": expected the fields name, topicId, partitions`));
    expect(() => decoded({ topics: [without(TOPIC, name)] })).toThrow(corrupt(JSON.stringify(name)));
  });

  it.each([
    [{ more: 1 }, 'the catalogue: expected the fields version, nextProducerIdBlock, topics, deleting; "more"'],
    [{ version: 0 }, "expected version 1, found 0"],
    [{ version: "1" }, 'expected version 1, found "1"'],
    [{ nextProducerIdBlock: "" }, 'nextProducerIdBlock: expected a whole number as text, found ""'],
    [{ nextProducerIdBlock: " 5" }, 'found " 5"'],
    [{ nextProducerIdBlock: "5n" }, 'found "5n"'],
    [{ nextProducerIdBlock: "x5" }, 'found "x5"'],
    [{ nextProducerIdBlock: "00000000000000000005" }, 'found "00000000000000000005"'],
    [{ nextProducerIdBlock: "9223372036854775808" }, 'found "9223372036854775808"'],
    [{ nextProducerIdBlock: 5 }, "found 5"],
    [{ topics: {} }, "topics, deleting: expected lists"],
    [{ deleting: {} }, "topics, deleting: expected lists"],
    [{ deleting: null }, "topics, deleting: expected lists"],
    [{ topics: [[TOPIC]] }, "expected a topic's name, found [{"],
    [{ topics: [null] }, "expected a topic's name, found null"],
    [{ topics: [{}] }, "expected a topic's name, found nothing"],
    [{ deleting: [".."] }, 'expected a topic\'s name, found ".."'],
    [{ deleting: ["a"] }, 'topic "a" is named twice'],
    [{ topics: [], deleting: ["b", "b"] }, 'topic "b" is named twice'],
    [{ deleting: [{ name: "b" }] }, 'expected a topic\'s name, found {"name":"b"}'],
    [{ deleting: [`${"b".repeat(200)}/`] }, `found "${"b".repeat(79)}. The file was left`],
    [{ quotas: {} }, "quotas: expected a list"],
    [{ quotas: [[]] }, "quotas: expected objects, found []"],
    [{ quotas: [{ clientId: "a" }, { clientId: "a" }] }, 'quotas: client "a" is named twice'],
    [{ quotas: [{ clientId: "a", requestPercentage: -1 }] }, 'client "a": requestPercentage: expected a number above 0, found -1'],
    [{ quotas: [{ clientId: null, other: 1 }] }, 'client null: "other" is no quota'],
  ] as readonly (readonly [Json, string])[])("for %j", (change, said) => {
    expect(() => decoded(change)).toThrow(corrupt(said));
  });

  it.each([
    [{ topicId: "AAAAAAAAAAAAAAAAAAAAAA" }, "expected a topicId of 22 characters"],
    [{ partitions: 0 }, "expected 1 to 100000 partitions, found 0"],
    [{ partitions: 100_001 }, "expected 1 to 100000 partitions, found 100001"],
    [{ partitions: 1.5 }, "found 1.5"],
    [{ partitions: "1" }, 'found "1"'],
    [{ adopted: 0 }, 'expected "adopted" and "config"'],
    [{ adopted: null }, 'expected "adopted" and "config"'],
    [{ config: null }, 'expected "adopted" and "config"'],
    [{ config: [] }, 'expected "adopted" and "config"'],
    [{ config: { flushMs: "infinity" } }, "flushMs: expected a whole number"],
    [{ config: { minCompactionLagMs: 2, maxCompactionLagMs: 1 } }, "found 2 and 1"],
    [{ more: 1 }, '"more" is none of them or is missing'],
  ] as readonly (readonly [Json, string])[])("for a topic with %j", (change, said) => {
    expect(() => topic(change)).toThrow(corrupt(said));
  });

  it.each(["", "5", "null", "[]", '"text"', "{", "\ufeff{}", "{}}"])("for a file of %j", (text) => {
    const bytes = toBytes(text);
    const said = text === "{}" ? "expected version" : `expected the JSON of a catalogue, found ${bytes.byteLength} bytes that are none`;
    expect(() => decodeCatalog(bytes, core)).toThrow(corrupt(said));
    expect(() => decodeCatalog(bytes, core)).toThrow(
      expect.objectContaining({ byteRange: [0, bytes.byteLength], offsetRange: [-1, -1], nextReadableOffset: null }),
    );
  });

  it("for bytes that are no UTF-8, and for a byte order mark before what is right", () => {
    const right = forged(BODY);
    expect(decodeCatalog(right, core).nextProducerId).toBe(5n);
    expect(() => decodeCatalog(Uint8Array.of(0xef, 0xbb, 0xbf, ...right), core)).toThrow(corrupt("that are none"));
    const bytes = forged({ ...BODY, deleting: ["zzz"] });
    bytes[toText(bytes).indexOf("zzz")] = 0xff;
    expect(() => decodeCatalog(bytes, core)).toThrow(corrupt("that are none"));
  });

  it("with both checksums, the one that stands there and the one that it should be", () => {
    const right = JSON.parse(toText(forged(BODY))) as { checksum: string };
    for (const [checksum, told] of [
      ["00000000", '"00000000"'],
      [undefined, "nothing"],
      [Number.parseInt(right.checksum, 16), String(Number.parseInt(right.checksum, 16))],
      [` ${right.checksum}`, `" ${right.checksum}"`],
    ])
      expect(() => decodeCatalog(toBytes(JSON.stringify({ ...right, checksum })), core)).toThrow(
        corrupt(`computed checksum ${right.checksum}, stored ${told}. The file was left`),
      );
  });
});

describe("a catalogue that is written", () => {
  const contents = { topics: [], deleting: [], nextProducerId: 0n, quotas: [] } as const;

  it("has a checksum of eight digits, whatever number it is", () => {
    let short = 0;
    for (let next = 0n; next < 200n; next++) {
      const { checksum } = JSON.parse(toText(encodeCatalog({ ...contents, nextProducerId: next }, core))) as { checksum: string };
      expect(checksum).toMatch(/^[0-9a-f]{8}$/);
      if (checksum.startsWith("0")) short += 1;
    }
    expect(short).toBeGreaterThan(2);
  });

  it("is the same in whatever order it was given, its quotas with that of all clients first", () => {
    const quota = (clientId: string | null) => ({ clientId, quota: { producerByteRate: 7 } });
    const named = (name: string) => ({ name, topicId: ID, partitions: 1, overrides: {}, adopted: false });
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
    ];
    const texts = orders.map((order) =>
      toText(
        encodeCatalog(
          {
            ...contents,
            topics: order.map((at) => named(["A", "a", "b"][at] as string)),
            deleting: order.map((at) => ["X", "x", "y"][at] as string),
            quotas: order.map((at) => quota([null, "m", "n"][at] as string | null)),
          },
          core,
        ),
      ),
    );
    expect(new Set(texts).size).toBe(1);
    const json = JSON.parse(texts[0] as string) as {
      topics: { name: string }[];
      deleting: string[];
      quotas: { clientId: string | null }[];
    };
    expect(Object.keys(json)).toEqual(["version", "checksum", "nextProducerIdBlock", "topics", "deleting", "quotas"]);
    expect([json.topics.map(({ name }) => name), json.deleting]).toEqual([
      ["A", "a", "b"],
      ["X", "x", "y"],
    ]);
    expect(json.quotas).toEqual([null, "m", "n"].map((clientId) => ({ clientId, producerByteRate: 7 })));
  });
});
