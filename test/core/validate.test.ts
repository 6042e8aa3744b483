import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BatchVerdict, Core } from "../../src/core/core.ts";
import { anyProducedBatch, anySent, slowBatchOf } from "./arbitraries.ts";
import { BUILDS, coreOf, exportsOf } from "./builds.ts";
import { slowBatchBytes, slowReadRecords, withChecksum } from "./twin/batch.ts";
import { slowVerdict } from "./twin/verdict.ts";
import { fromHex, isCompressed, vectors } from "./vectors.ts";

/** The verdict of a batch elsewhere and of the same batch in the core's own memory, which must be one. */
function verdictOf(core: Core, batch: Uint8Array): BatchVerdict {
  const verdict = core.validate(batch);
  core.readWindow().set(batch);
  expect(core.validate(core.readWindow().subarray(0, batch.length))).toEqual(verdict);
  return verdict;
}

/** Bytes changed, put in, taken out or cut off, often with a checksum and a length that know of it. */
const anyDamage = fc.record({
  kind: fc.constantFrom("set", "insert", "remove", "cut", "varint" as const),
  place: fc.nat(1_000_000),
  byte: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)),
  mendsLength: fc.boolean(),
  mendsChecksum: fc.boolean(),
  inHeader: fc.boolean(),
});

function damaged(batch: Uint8Array, damage: typeof anyDamage extends fc.Arbitrary<infer T> ? T : never): Uint8Array<ArrayBuffer> {
  const bytes = [...batch];
  const from = damage.inHeader ? 0 : Math.min(61, bytes.length - 1);
  const to = damage.inHeader ? Math.min(61, bytes.length) : bytes.length;
  const at = from + (damage.place % (to - from));
  if (damage.kind === "set") bytes[at] = damage.byte;
  if (damage.kind === "insert") bytes.splice(at, 0, damage.byte);
  if (damage.kind === "remove") bytes.splice(at, 1);
  if (damage.kind === "cut") bytes.length = at;
  if (damage.kind === "varint") bytes.splice(at, 1, 0x80, 0x80, 0x80, 0x80, 0x80, damage.byte);
  const result = new Uint8Array(bytes);
  if (damage.mendsLength && result.length >= 12) new DataView(result.buffer).setInt32(8, result.length - 12);
  return damage.mendsChecksum ? withChecksum(result) : result;
}

/** Where a problem was seen once held in no test: a verdict may point anywhere, and the person who reads it looks there. */
function expectSame(verdict: BatchVerdict, bytes: Uint8Array): void {
  const { problem, position } = slowVerdict(bytes);
  expect(verdict.problem).toBe(problem);
  if (problem === "records") {
    expect(verdict.position).toBeGreaterThanOrEqual(position);
    expect(verdict.position).toBeLessThanOrEqual(bytes.length);
  } else expect(verdict.position, String(problem)).toBe(position);
}

describe.each(BUILDS)("validation (%s)", (build) => {
  it("accepts every plain batch of a producer among the vectors and refuses the others by name", async () => {
    const core = await coreOf(build);
    for (const batch of vectors.batches) {
      const { problem, recordCount } = verdictOf(core, fromHex(batch.hex));
      if (isCompressed(batch) || (batch.expect.attributes & 0x20) !== 0) expect(problem, batch.name).toBe("attributes");
      else if (/compacted|large-varints/.test(batch.name)) expect(problem, batch.name).toBe("count");
      else expect([problem, recordCount], batch.name).toEqual([null, batch.expect.recordCount]);
    }
  });

  it("accepts what is right, and says how many records, the largest timestamp and whether a key is missing", async () => {
    const core = await coreOf(build);
    fc.assert(
      fc.property(anyProducedBatch, (batch) => {
        expect(verdictOf(core, slowBatchBytes(batch))).toEqual({
          problem: null,
          position: 0,
          recordCount: batch.records.length,
          maxTimestamp: Number(batch.maxTimestamp),
          hasNullKey: batch.records.some(({ key }) => key === null),
        });
      }),
    );
  });

  it("says of damaged batches, checksum corrected or not, what the rules say one by one", async () => {
    const core = await coreOf(build);
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(anyProducedBatch, fc.array(anyDamage, { minLength: 1, maxLength: 2 }), (batch, damages) => {
        const bytes = damages.reduce((before, damage) => (before.length === 0 ? before : damaged(before, damage)), slowBatchBytes(batch));
        const verdict = verdictOf(core, bytes);
        const { problem, recordCount } = verdict;
        seen.set(String(problem), (seen.get(String(problem)) ?? 0) + 1);
        expectSame(verdict, bytes);
        if (problem === null) expect(slowReadRecords(bytes, 61, recordCount)).not.toBeNull();
      }),
      { numRuns: 4000 },
    );
    // Else the damage would not reach what it is meant to reach.
    for (const problem of ["length", "checksum", "count", "records", "timestamp", "null"]) {
      expect(seen.get(problem) ?? 0, problem).toBeGreaterThan(0);
    }
  });

  it("refuses each broken rule by its name", async () => {
    const core = await coreOf(build);
    const sent = [{ key: new Uint8Array([1]), value: new Uint8Array(2), headers: [], timestamp: 50 }];
    const good = slowBatchOf(sent);
    const record = good.records[0]!;
    const cases: [BatchVerdict["problem"], Uint8Array<ArrayBuffer>][] = [
      ["attributes", slowBatchBytes({ ...good, attributes: 0x20 })],
      ["attributes", slowBatchBytes({ ...good, attributes: 0x40 })],
      ["attributes", slowBatchBytes({ ...good, attributes: 0x100 })],
      ["attributes", slowBatchBytes({ ...good, attributes: 1 })],
      ["timestamp", slowBatchBytes({ ...good, attributes: 0x08 })],
      ["timestamp", slowBatchBytes({ ...good, maxTimestamp: 51n })],
      ["timestamp", slowBatchBytes({ ...good, baseTimestamp: -2n })],
      ["timestamp", slowBatchBytes({ ...good, records: [{ ...record, timestampDelta: -52n }] })],
      ["timestamp", slowBatchBytes({ ...good, records: [{ ...record, timestampDelta: 2n ** 63n - 1n }] })],
      ["timestamp", slowBatchBytes({ ...good, records: [{ ...record, timestampDelta: -(2n ** 63n) }] })],
      ["offsets", slowBatchBytes({ ...good, records: [{ ...record, offsetDelta: 1 }] })],
      ["offsets", slowBatchBytes({ ...good, records: [{ ...record, offsetDelta: -1 }] })],
      ["count", slowBatchBytes({ ...good, records: [] })],
      ["count", slowBatchBytes({ ...good, lastOffsetDelta: 1 })],
    ];
    for (const [problem, bytes] of cases) {
      expect(verdictOf(core, bytes).problem).toBe(problem);
      expectSame(core.validate(bytes), bytes);
    }
    for (const at of [16, 8, 11]) {
      const bytes = slowBatchBytes(good);
      bytes[at]! ^= 0x40;
      expectSame(core.validate(bytes), bytes);
    }
    const shortened = slowBatchBytes(good).subarray(0, 60);
    expect(core.validate(shortened).problem).toBe("length");
    expect(core.validate(new Uint8Array(0)).problem).toBe("length");
  });

  it("believes a count only as far as there are bytes for it", async () => {
    const core = await coreOf(build);
    for (const count of [2 ** 31 - 1, 1_000_000, 2]) {
      const bytes = slowBatchBytes(slowBatchOf([{ key: null, value: null, headers: [], timestamp: 1 }]));
      new DataView(bytes.buffer).setInt32(57, count);
      new DataView(bytes.buffer).setInt32(23, count - 1);
      expect(verdictOf(core, withChecksum(bytes)).problem).toBe("count");
    }
  });

  it("sees the same in a batch longer than its windows, wherever fields straddle their borders", async () => {
    const core = await coreOf(build);
    const anyLong = fc.array(fc.tuple(anySent, fc.constantFrom(0, 30, 21_800, 65_500, 140_000), fc.nat(60)), {
      minLength: 2,
      maxLength: 8,
    });
    fc.assert(
      fc.property(anyLong, fc.nat(2), fc.nat(250_000), (drafts, breaks, place) => {
        const sent = drafts.map(([draft, base, more]) => ({
          ...draft,
          value: new Uint8Array(base + more),
          headers: [...draft.headers, [new Uint8Array(more), new Uint8Array(base)] as const],
        }));
        const bytes = slowBatchBytes(slowBatchOf(sent));
        if (breaks > 0) bytes[61 + (place % (bytes.length - 61))]! ^= 0x55;
        if (breaks > 1) withChecksum(bytes);
        const verdict = core.validate(bytes);
        const { problem, recordCount } = verdict;
        expectSame(verdict, bytes);
        if (problem === null) expect(recordCount).toBe(sent.length);
      }),
      { numRuns: build === "release" ? 25 : 8 },
    );
  });

  it("goes through a batch in chunks of any size, and asks for no more again than what a step may need", async () => {
    const raw = await exportsOf(build);
    const core = await coreOf(build);
    const mailbox = new DataView(raw.memory.buffer, raw.initialize());
    const memory = new Uint8Array(raw.memory.buffer);
    const [at, stepByteLength] = [1 << 20, 26];
    const anyChunk = fc.oneof(fc.integer({ min: stepByteLength, max: 60 }), fc.integer({ min: stepByteLength, max: 500 }));
    const anyDamages = fc.array(anyDamage, { maxLength: 1 });
    fc.assert(
      fc.property(anyProducedBatch, anyDamages, fc.array(anyChunk, { minLength: 1, maxLength: 5 }), (batch, damages, chunks) => {
        const bytes = damages.reduce((before, damage) => (before.length === 0 ? before : damaged(before, damage)), slowBatchBytes(batch));
        memory.set(bytes.subarray(0, 61), at);
        let start = raw.validateHeader(at, Math.min(61, bytes.length), bytes.length);
        let isWrong = start > 0 && /attributes|count/.test(String(slowVerdict(bytes).problem));
        for (let i = 0; start > 0 && start < bytes.length; i++) {
          const end = Math.min(bytes.length, start + (chunks[i % chunks.length] as number));
          memory.set(bytes.subarray(start, end), at);
          const next = raw.validateRecords(at, start, end - start);
          if (end === bytes.length) expect(next).toBe(bytes.length);
          else {
            expect(next).toBeLessThanOrEqual(end);
            expect(next).toBeGreaterThan(isWrong ? end - 1 : end - stepByteLength);
          }
          start = next;
        }
        isWrong = mailbox.getInt32(0, true) !== 0;
        const { problem, position, recordCount, maxTimestamp, hasNullKey } = core.validate(bytes);
        expect(isWrong).toBe(problem !== null);
        expect(mailbox.getInt32(8, true)).toBe(position);
        if (!isWrong) {
          expect([mailbox.getInt32(16, true), mailbox.getFloat64(24, true)]).toEqual([recordCount, maxTimestamp]);
          expect(mailbox.getInt32(32, true) === 1).toBe(hasNullKey);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("gives up when it is given bytes that do not follow", async () => {
    const raw = await exportsOf(build);
    const [at, chunk] = [1 << 20, 100];
    const sent = Array.from({ length: 20 }, (_, i) => ({ key: new Uint8Array([i]), value: new Uint8Array(9), headers: [], timestamp: 5 }));
    const bytes = slowBatchBytes(slowBatchOf(sent));
    new Uint8Array(raw.memory.buffer).set(bytes, at);
    const validate = (start: number, byteLength: number): number => raw.validateRecords(at + start, start, byteLength);
    const refused = (start: number, byteLength: number): void =>
      expect(() => validate(start, byteLength), `${byteLength} bytes from ${start}`).toThrowError(/unreachable/);
    for (const given of [60, bytes.length + 1]) expect(() => raw.validateHeader(at, given, bytes.length)).toThrowError(/unreachable/);
    expect(raw.validateHeader(at, 61, bytes.length)).toBe(61);
    refused(62, chunk);
    refused(61, 0);
    refused(61, bytes.length - 60);
    // Each wraps, and their sum is the batch's end.
    refused(-(2 ** 31), bytes.length - 2 ** 31);
    const next = validate(61, chunk);
    expect(next).toBeLessThan(61 + chunk);
    refused(next + 1, chunk);
    refused(next, 61 + chunk - next);
    expect(validate(next, bytes.length - next), "all that is left").toBe(bytes.length);
    // At its end nothing is left to be given, and that is no fault.
    expect(validate(bytes.length, 0)).toBe(bytes.length);
    // When the header was wrong, whatever was summed need not be given again, and no more than that may be left out.
    const wrong = withChecksum(bytes.slice());
    wrong[22] = 0x40;
    new Uint8Array(raw.memory.buffer).set(withChecksum(wrong), at);
    expect(raw.validateHeader(at, 61, bytes.length)).toBe(61);
    expect(validate(61, chunk)).toBe(61 + chunk);
    refused(61 + chunk + 1, chunk);
    expect(validate(61 + chunk, bytes.length - 61 - chunk)).toBe(bytes.length);
  });

  it("reads nothing behind the batch, and nothing behind the end of memory", async () => {
    const raw = await exportsOf(build);
    const memory = new Uint8Array(raw.memory.buffer);
    fc.assert(
      fc.property(anyProducedBatch, fc.array(anyDamage, { maxLength: 2 }), (batch, damages) => {
        const bytes = damages.reduce((before, damage) => (before.length === 0 ? before : damaged(before, damage)), slowBatchBytes(batch));
        const at = memory.length - bytes.length;
        memory.set(bytes, at);
        // An access outside traps, and a trap is an exception here.
        const start = raw.validateHeader(at, bytes.length, bytes.length);
        if (start > 0) expect(raw.validateRecords(at + start, start, bytes.length - start)).toBe(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
});
