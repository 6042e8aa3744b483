import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHeaders, RecordCursor } from "../../src/base/record-decoder.ts";
import type { Core, FoundRecord, RecordTarget } from "../../src/core/core.ts";
import { anyStoredBatch, slowBatchOf } from "./arbitraries.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { slowBatchBytes, slowReadRecord } from "./twin/batch.ts";
import { slowFindRecord } from "./twin/record-search.ts";
import { fromHex, isCompressed, toHex, vectors } from "./vectors.ts";

const anyTarget: fc.Arbitrary<RecordTarget> = fc
  .record({
    offset: fc.option(fc.integer({ min: -2, max: 40 }), { nil: undefined }),
    timestamp: fc.option(
      fc.oneof(
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }).map((by) => 1_700_000_000_000 + by),
        fc.constantFrom(Number.NEGATIVE_INFINITY, 0, 1_700_000_000_000, Number.POSITIVE_INFINITY),
      ),
      { nil: undefined },
    ),
  })
  .map(({ offset, timestamp }) => ({ ...(offset === undefined ? {} : { offset }), ...(timestamp === undefined ? {} : { timestamp }) }));

const bytesAt = (batch: Uint8Array, start: number, length: number): Uint8Array | null =>
  length < 0 ? null : batch.slice(start, start + length);

/** What the positions lead to. */
function fields(batch: Uint8Array, found: FoundRecord) {
  return {
    key: bytesAt(batch, found.keyStart, found.keyLength),
    value: bytesAt(batch, found.valueStart, found.valueLength),
    headers: decodeHeaders(batch, found.headersStart, found.headersCount, found.end).map(([name, value]) => [
      name.slice(),
      value === null ? null : value.slice(),
    ]),
  };
}

/** The answer for a batch elsewhere and for the same batch in the core's own memory, which must be one. */
function find(core: Core, batch: Uint8Array, target: RecordTarget): FoundRecord | null {
  const found = core.findRecord(batch, target);
  core.readWindow().set(batch, 5);
  expect(core.findRecord(core.readWindow().subarray(5, 5 + batch.length), target)).toEqual(found);
  return found;
}

describe.each(BUILDS)("the batch reader (%s)", (build) => {
  it("finds the record that looking at each one finds, and says where its fields lie", async () => {
    const core = await coreOf(build);
    let foundCount = 0;
    fc.assert(
      fc.property(anyStoredBatch(10), fc.array(anyTarget, { minLength: 1, maxLength: 6 }), (batch, targets) => {
        const bytes = slowBatchBytes(batch);
        for (const target of targets) {
          const expected = slowFindRecord(batch, target);
          const found = find(core, bytes, target);
          expect(found === null).toBe(expected === null);
          if (found === null || expected === null) continue;
          foundCount++;
          const { key, value, headers } = expected.record;
          expect([found.offset, found.timestamp]).toEqual([expected.offset, expected.timestamp]);
          expect(fields(bytes, found)).toEqual({ key, value, headers: headers.map(([name, content]) => [name, content]) });
          expect(slowReadRecord(bytes, found.start)?.end).toBe(found.end);
        }
      }),
      { numRuns: 800 },
    );
    expect(foundCount).toBeGreaterThan(500);
  });

  it("reads every record of Kafka's own batches, one after the other", async () => {
    const core = await coreOf(build);
    const plain = vectors.batches.filter((batch) => !isCompressed(batch) && Number.isSafeInteger(Number(batch.expect.baseOffset)));
    expect(plain.length).toBeGreaterThan(8);
    for (const { name, hex, records } of plain) {
      const bytes = fromHex(hex);
      let next = 0;
      for (const record of records) {
        const found = find(core, bytes, { offset: next });
        expect(found, name).not.toBeNull();
        if (found === null) return;
        const { key, value } = fields(bytes, found);
        expect([`${found.offset}`, key && toHex(key), value && toHex(value)], name).toEqual([record.offset, record.key, record.value]);
        expect(found.timestamp, name).toBe(Number(record.timestamp));
        next = found.offset + 1;
      }
      expect(find(core, bytes, { offset: next }), name).toBeNull();
    }
  });

  it("refuses a compressed batch by its codec", async () => {
    const core = await coreOf(build);
    const gzip = fromHex(vectors.batches.find(({ name }) => name === "05-gzip")!.hex);
    expect(() => find(core, gzip, {})).toThrowError(expect.objectContaining({ code: "UNSUPPORTED_COMPRESSION_TYPE" }));
  });

  it("agrees with the log's reader about damaged batches, and never reads outside them", async () => {
    const core = await coreOf(build);
    const raw = await exportsOf(build);
    const memory = new Uint8Array(raw.memory.buffer);
    const seen = { found: 0, none: 0, corrupt: 0 };
    fc.assert(
      fc.property(anyStoredBatch(7), fc.nat(5000), fc.nat(255), fc.boolean(), anyTarget, (batch, place, byte, inHeader, target) => {
        const bytes = slowBatchBytes(batch);
        const from = inHeader ? 0 : Math.min(61, bytes.length - 1);
        bytes[from + (place % (bytes.length - from))] = byte;
        // An access outside traps, and a trap is an exception here.
        memory.set(bytes, memory.length - bytes.length);
        raw.findRecord(memory.length - bytes.length, bytes.length, target.offset ?? -1, target.timestamp ?? Number.NEGATIVE_INFINITY);
        // A magic of another format is looked at by the core alone, as is a batch that ends elsewhere than its bytes.
        if (bytes[16] !== 2 || new DataView(bytes.buffer).getInt32(8) !== bytes.length - 12) {
          expect(() => core.findRecord(bytes, target)).toThrowError(expect.objectContaining({ name: "CorruptBatchError" }));
          return;
        }
        const expected = answerOf(() => byCursor(bytes, target));
        const answer = answerOf(() => core.findRecord(bytes, target));
        seen[answer === null ? "none" : answer === "corrupt" ? "corrupt" : "found"]++;
        // Of the records before it, the core does not look at the headers; the log's reader looks at their count.
        if (expected === "corrupt" && answer !== "corrupt") expect(answer === null || answer.offset >= 7).toBe(true);
        else expect(answer).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
    for (const [answer, count] of Object.entries(seen)) expect(count, answer).toBeGreaterThan(20);
  });

  it("refuses offsets that stand still, fall, or go past what the header says", async () => {
    const core = await coreOf(build);
    const compactor = core.compactor({ dedupeBufferByteLength: 2400, hashSecret: new Uint8Array(16) });
    const good = slowBatchOf([1, 2].map((timestamp) => ({ key: new Uint8Array(1), value: null, headers: [], timestamp })));
    const withDeltas = (deltas: readonly number[]): Uint8Array =>
      slowBatchBytes({ ...good, records: good.records.map((record, i) => ({ ...record, offsetDelta: deltas[i]! })) });
    expect(core.findRecord(withDeltas([0, 1]), { offset: 1 })?.offset).toBe(1);
    for (const deltas of [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 2],
      [-1, 1],
    ]) {
      const batch = withDeltas(deltas);
      const corrupt = expect.objectContaining({ name: "CorruptBatchError" });
      expect(() => core.findRecord(batch, { offset: 5 }), `${deltas}`).toThrowError(corrupt);
      expect(() => compactor.mapBatch(batch, 0), `${deltas}`).toThrowError(corrupt);
    }
  });

  it("takes batches of any length", async () => {
    const core = await coreOf(build);
    core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    for (let i = 0; i < 5; i++) core.writer.append(new Uint8Array([i]), new Uint8Array(500_000), null, 100 + i);
    const batch = core.writer.finish().slice();
    expect(batch.length).toBeGreaterThan(core.readWindowByteLength);
    expect(core.findRecord(batch, { timestamp: 103 })).toMatchObject({ offset: 3, timestamp: 103, keyLength: 1, valueLength: 500_000 });
    expect(core.findRecord(batch, { timestamp: 105 })).toBeNull();
  });
});

type Answer = FoundRecord | null | "corrupt";

function answerOf(find: () => FoundRecord | null): Answer {
  try {
    return find();
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    expect(["CorruptBatchError", "RecordFramingError"].includes(name) || code === "UNSUPPORTED_COMPRESSION_TYPE", `${error}`).toBe(true);
    return "corrupt";
  }
}

function byCursor(
  bytes: Uint8Array,
  { offset = Number.NEGATIVE_INFINITY, timestamp = Number.NEGATIVE_INFINITY }: RecordTarget,
): FoundRecord | null {
  const cursor = new RecordCursor(bytes);
  while (cursor.next()) {
    if (cursor.offset < offset || cursor.timestamp < timestamp) continue;
    const { keyStart, keyLength, valueStart, valueLength, headersStart, headersCount, start } = cursor;
    return {
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      start,
      end: cursor.recordEnd,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
      headersStart,
      headersCount,
    };
  }
  return null;
}
