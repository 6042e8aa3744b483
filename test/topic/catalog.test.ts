import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage, faultyStorage, SeededRandom } from "../../src/testing/index.ts";
import { Catalog } from "../../src/topic/catalog.ts";
import { validateConfig } from "../../src/topic/topic-config.ts";
import { newTopicId } from "../../src/topic/topic-id.ts";
import { atEveryCrash, flipped, get, put, text } from "../log/books/support.ts";

const core = await loadCore();
const random = new SeededRandom("catalogue");

function topic(
  name: string,
  partitions = 1,
  overrides: Partial<TopicConfig> = {},
): { name: string; topicId: string; partitions: number; overrides: Partial<TopicConfig> } {
  return { name, topicId: newTopicId(random), partitions, overrides };
}

/** What a catalogue says, without its own objects. */
function said(catalog: Catalog): unknown {
  return {
    topics: [...catalog.topics().values()]
      .map((entry) => ({ ...entry, overrides: { ...entry.overrides } }))
      .sort((left, right) => (left.name < right.name ? -1 : 1)),
    deleting: [...catalog.deleting()].sort(),
    next: catalog.nextProducerId,
  };
}

describe("the catalogue", () => {
  it("is empty where there is none, and writes nothing by being read", async () => {
    const storage = memory();
    const catalog = await Catalog.load(storage, core);
    expect(said(catalog)).toEqual({ topics: [], deleting: [], next: 0n });
    expect(await storage.list("")).toEqual([]);
  });

  it("says after reopening what it said before, whatever was done to it, with any names and settings", async () => {
    const name = fc.constantFrom("a", "b", "orders.eu-1", "__proto__", "constructor", "toString", "Z");
    const overrides = fc.constantFrom<Partial<TopicConfig>>(
      {},
      { retentionMs: Number.POSITIVE_INFINITY, cleanupPolicy: "compact" },
      { segmentBytes: 14, minCleanableDirtyRatio: 0.25, preallocate: true },
    );
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("add" as const),
        name,
        partitions: fc.integer({ min: 1, max: 100_000 }),
        overrides,
        adopted: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("change" as const), name, overrides }),
      fc.record({ kind: fc.constant("mark" as const), name }),
      fc.record({ kind: fc.constant("remove" as const), name }),
      fc.record({ kind: fc.constant("reserve" as const), atLeast: fc.bigInt({ min: 0n, max: 2n ** 62n }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const storage = memory();
        const catalog = await Catalog.load(storage, core);
        const model = new Map<string, unknown>();
        const deleting = new Set<string>();
        for (const taken of steps) {
          const known = catalog.topics().get("name" in taken ? taken.name : "");
          if (taken.kind === "add") {
            const added = { ...topic(taken.name, taken.partitions, taken.overrides), adopted: taken.adopted };
            const call = catalog.addTopic(added);
            if (known !== undefined || deleting.has(taken.name)) await expect(call).rejects.toMatchObject({ code: "TOPIC_ALREADY_EXISTS" });
            else {
              await call;
              model.set(taken.name, added);
            }
          } else if (taken.kind === "change" || taken.kind === "mark") {
            const call =
              taken.kind === "mark" ? catalog.markDeleting(taken.name) : catalog.changeTopic(taken.name, { overrides: taken.overrides });
            if (known === undefined) await expect(call).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
            else {
              await call;
              if (taken.kind === "change") model.set(taken.name, { ...known, overrides: taken.overrides });
              else if (model.delete(taken.name)) deleting.add(taken.name);
            }
          } else if (taken.kind === "remove") {
            await catalog.removeTopic(taken.name);
            model.delete(taken.name);
            deleting.delete(taken.name);
          } else {
            const before = catalog.nextProducerId;
            const first = await catalog.reserveProducerIds(taken.atLeast);
            expect(first >= before && first >= taken.atLeast).toBe(true);
            expect(catalog.nextProducerId).toBe(first + 1000n);
          }
        }
        const expected = {
          topics: [...model.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, value]) => value),
          deleting: [...deleting].sort(),
          next: catalog.nextProducerId,
        };
        expect(said(catalog)).toEqual(expected);
        expect(said(await Catalog.load(storage, core))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it("is text that a person can read, the same bytes for the same contents", async () => {
    const [one, other] = [memory(), memory()];
    const [a, b] = [
      { ...topic("a"), topicId: "AAECAwQFBgcICQoLDA0ODw" },
      { ...topic("b", 3, { retentionMs: Number.POSITIVE_INFINITY }), topicId: "BAECAwQFBgcICQoLDA0ODw" },
    ];
    const first = await Catalog.load(one, core);
    await first.addTopic(a);
    await first.addTopic(b);
    const second = await Catalog.load(other, core);
    await second.addTopic(b);
    await second.addTopic(a);
    const contents = text(await get(one, "odradek.json"));
    expect(text(await get(other, "odradek.json"))).toBe(contents);
    expect(JSON.parse(contents)).toMatchObject({
      version: 1,
      nextProducerIdBlock: "0",
      topics: [{ name: "a" }, { name: "b", partitions: 3, config: { retentionMs: "Infinity" } }],
      deleting: [],
    });
    expect(contents.split("\n").length).toBeGreaterThan(15);
    expect(contents.endsWith("}\n")).toBe(true);
  });

  it("is refused at every flipped bit and every length unless it says the very same, and is never touched", async () => {
    const storage = memory();
    const catalog = await Catalog.load(storage, core);
    await catalog.addTopic(
      topic("orders.eu", 4, { retentionMs: Number.POSITIVE_INFINITY, cleanupPolicy: "compact,delete", minCleanableDirtyRatio: 0.1 }),
    );
    await catalog.addTopic(topic("__proto__", 2));
    await catalog.reserveProducerIds(0n);
    await catalog.markDeleting("__proto__");
    const bytes = (await get(storage, "odradek.json")) as Uint8Array;
    const truth = said(await Catalog.load(storage, core));
    const wrong = Array.from({ length: bytes.byteLength * 8 }, (_, bit) => flipped(bytes, bit));
    for (let byteLength = 0; byteLength < bytes.byteLength; byteLength++) wrong.push(bytes.subarray(0, byteLength));
    let refused = 0;
    for (const other of wrong) {
      await put(storage, "odradek.json", other);
      const found = await Catalog.load(storage, core).then(said, (error: unknown) => error);
      if (found instanceof Error) {
        expect(found).toMatchObject({ name: "CorruptionError", code: "BOOK_CORRUPT", file: "odradek.json" });
        expect(found.message).toContain("odradek.json");
        refused += 1;
      } else expect(found).toEqual(truth);
      expect(await get(storage, "odradek.json")).toEqual(other.slice());
    }
    expect(refused).toBeGreaterThan(wrong.length * 0.7); // the rest is white space
  });

  it("is refused when its checksum is right and its contents are not legal", async () => {
    const storage = memory();
    await (await Catalog.load(storage, core)).addTopic(topic("a", 1, { flushMs: 5 }));
    const whole = JSON.parse(text(await get(storage, "odradek.json"))) as Record<string, unknown> & { topics: Record<string, unknown>[] };
    const canonical = (value: unknown): string =>
      Array.isArray(value)
        ? `[${value.map(canonical).join(",")}]`
        : typeof value === "object" && value !== null
          ? `{${Object.keys(value)
              .sort()
              .map((key) => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`)
              .join(",")}}`
          : JSON.stringify(value);
    const entry = whole.topics[0]!;
    for (const change of [
      { version: 2 },
      { more: 1 },
      { nextProducerIdBlock: 5 },
      { nextProducerIdBlock: "-5" },
      { nextProducerIdBlock: "9223372036854775808" },
      { topics: {} },
      { topics: [1] },
      { topics: [entry, entry] },
      { deleting: ["a"] },
      { deleting: [7] },
      { topics: [{ ...entry, name: "../a" }] },
      { topics: [{ ...entry, topicId: "x" }] },
      { topics: [{ ...entry, partitions: 0 }] },
      { topics: [{ ...entry, partitions: 1.5 }] },
      { topics: [{ ...entry, partitions: 100_001 }] },
      { topics: [{ ...entry, adopted: "no" }] },
      { topics: [{ ...entry, config: { flushMs: "5" } }] },
      { topics: [{ ...entry, config: { flushMS: 5 } }] },
      { topics: [{ ...entry, extra: true }] },
    ]) {
      const { checksum, ...body } = { ...whole, ...change } as Record<string, unknown>;
      expect(checksum).toMatch(/^[0-9a-f]{8}$/);
      const sum = core
        .crc32c(new TextEncoder().encode(canonical(body)))
        .toString(16)
        .padStart(8, "0");
      await put(storage, "odradek.json", new TextEncoder().encode(JSON.stringify({ ...body, checksum: sum })));
      const refusal: unknown = await Catalog.load(storage, core).catch((error: unknown) => error);
      expect(refusal, JSON.stringify(change)).toMatchObject({ code: "BOOK_CORRUPT" });
      expect((refusal as Error).message, JSON.stringify(change)).not.toContain("checksum");
    }
    // The same by hand, in another layout and unchanged in meaning, is read.
    await put(storage, "odradek.json", new TextEncoder().encode(JSON.stringify(whole)));
    expect((await Catalog.load(storage, core)).topics().has("a")).toBe(true);
  });

  it("holds at every crash what had resolved, and at most the one change under way", async () => {
    const states: string[] = [];
    let resolved = 0;
    const remember = (catalog: Catalog): void => {
      states.push(JSON.stringify(said(catalog), (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)));
    };
    remember(await Catalog.load(memory(), core));
    const ids = Array.from({ length: 4 }, () => newTopicId(random));
    const changes: ((catalog: Catalog) => Promise<unknown>)[] = [
      (catalog) => catalog.addTopic({ name: "a", topicId: ids[0]!, partitions: 2, overrides: {} }),
      (catalog) => catalog.addTopic({ name: "b", topicId: ids[1]!, partitions: 1, overrides: { flushMs: 7 } }),
      (catalog) => catalog.reserveProducerIds(),
      (catalog) => catalog.changeTopic("a", { partitions: 5 }),
      (catalog) => catalog.markDeleting("b"),
      (catalog) => catalog.removeTopic("b"),
    ];
    const rehearsal = await Catalog.load(memory(), core);
    for (const change of changes) {
      await change(rehearsal);
      remember(rehearsal);
    }
    const looked = await atEveryCrash(
      async (storage) => {
        const catalog = await Catalog.load(storage, core);
        for (const change of changes) {
          await change(catalog);
          resolved += 1;
        }
      },
      async (disk) => {
        const found = JSON.stringify(said(await Catalog.load(disk, core)), (_, value: unknown) =>
          typeof value === "bigint" ? String(value) : value,
        );
        expect([states[resolved], states[resolved + 1]]).toContain(found);
      },
    );
    expect(looked).toBeGreaterThan(60);
  });

  it("makes changes one after another, however they are called", async () => {
    const storage = memory();
    const catalog = await Catalog.load(storage, core);
    const results = await Promise.allSettled([
      ...Array.from({ length: 20 }, (_, index) => catalog.addTopic(topic(`t${index}`))),
      catalog.addTopic(topic("t3")),
      catalog.changeTopic("t4", { partitions: 9 }),
    ]);
    expect(results.filter((result) => result.status === "rejected").length).toBe(1);
    const firsts = await Promise.all(Array.from({ length: 5 }, () => catalog.reserveProducerIds()));
    expect(firsts).toEqual([0n, 1000n, 2000n, 3000n, 4000n]);
    expect(said(await Catalog.load(storage, core))).toEqual(said(catalog));
    expect(catalog.topics().size).toBe(20);
  });

  it("gives snapshots: what was answered does not change under the reader's hands, and cannot be changed by them", async () => {
    const catalog = await Catalog.load(memory(), core);
    await catalog.addTopic(topic("a", 1, { flushMs: 5 }));
    const before = catalog.topics();
    await catalog.changeTopic("a", { partitions: 3 });
    await catalog.addTopic(topic("b"));
    expect([before.size, before.get("a")?.partitions]).toEqual([1, 1]);
    expect(() => Object.assign(catalog.topics().get("a")!, { partitions: 9 })).toThrow(TypeError);
    expect(() => Object.assign(catalog.topics().get("a")!.overrides, { flushMs: 9 })).toThrow(TypeError);
  });

  it("stays as it was when the disk is full, and goes on when there is room", async () => {
    const inner = memory();
    const storage = faultyStorage(inner);
    const catalog = await Catalog.load(storage, core);
    await catalog.addTopic(topic("a"));
    storage.fail({ call: "writeAt", errno: "ENOSPC" });
    await expect(catalog.addTopic(topic("b"))).rejects.toMatchObject({ code: "ENOSPC" });
    expect([...catalog.topics().keys()]).toEqual(["a"]);
    expect([...(await Catalog.load(inner, core)).topics().keys()]).toEqual(["a"]);
    await catalog.addTopic(topic("b"));
    expect([...(await Catalog.load(inner, core)).topics().keys()]).toEqual(["a", "b"]);
  });

  it("refuses what could not be found again", async () => {
    const catalog = await Catalog.load(crashStorage(), core);
    const good = topic("a");
    await expect(catalog.addTopic({ ...good, name: "a/b" })).rejects.toMatchObject({ code: "INVALID_TOPIC_EXCEPTION" });
    await expect(catalog.addTopic({ ...good, topicId: "x" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(catalog.addTopic({ ...good, partitions: 0 })).rejects.toMatchObject({ code: "INVALID_PARTITIONS" });
    await catalog.addTopic(good);
    await expect(catalog.addTopic({ ...good, name: "b" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(catalog.changeTopic("a", { partitions: 0 })).rejects.toMatchObject({ code: "INVALID_PARTITIONS" });
    await catalog.changeTopic("a", { overrides: { minCompactionLagMs: 100 } });
    await expect(catalog.changeTopic("a", { overrides: { minCompactionLagMs: 100, maxCompactionLagMs: 10 } })).rejects.toMatchObject({
      name: "UsageError",
      code: "INVALID_CONFIG",
    });
    await catalog.changeTopic("a", { overrides: {} });
    expect(validateConfig(catalog.topics().get("a")!.overrides)).toEqual({});
  });
});
