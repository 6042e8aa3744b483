/** The log against the simplest thing that could be one: an array. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { OffsetError } from "../../src/base/errors.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { append, created, NOW_MS, opened, type PlainRecord, readAll, recordsIn } from "../log/log-rig.ts";

interface Model {
  readonly records: PlainRecord[];
  logStartOffset: number;
}

interface Real {
  readonly storage: StorageDriver;
  readonly clock: ManualClock;
  readonly config: Partial<TopicConfig>;
  log: PartitionLog;
}

class Append implements fc.AsyncCommand<Model, Real> {
  readonly lengths: readonly number[];
  readonly timeStepMs: number;
  constructor(lengths: readonly number[], timeStepMs: number) {
    this.lengths = lengths;
    this.timeStepMs = timeStepMs;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    real.clock.jump(this.timeStepMs);
    const records = this.lengths.map((length, index) => ({
      value: `${model.records.length + index}:`.padEnd(length, "x"),
      timestamp: real.clock.now() - index,
    }));
    const appended = await append(real.log, records);
    expect(appended).toMatchObject({ baseOffset: model.records.length, lastOffset: model.records.length + records.length - 1 });
    await real.log.flushed(appended.lastOffset + 1);
    model.records.push(...records);
  }
  toString(): string {
    return `append([${this.lengths.join(", ")}], +${this.timeStepMs} ms)`;
  }
}

class Read implements fc.AsyncCommand<Model, Real> {
  readonly share: number;
  readonly maxBytes: number;
  constructor(share: number, maxBytes: number) {
    this.share = share;
    this.maxBytes = maxBytes;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const offset = Math.floor(this.share * (model.records.length + 2)) - 1;
    if (offset < model.logStartOffset || offset > model.records.length) {
      await expect(real.log.read(offset, this.maxBytes)).rejects.toBeInstanceOf(OffsetError);
      return;
    }
    const bytes = await real.log.read(offset, this.maxBytes);
    const records = recordsIn(bytes);
    if (offset === model.records.length) return expect(records).toEqual([]);
    expect(records[0]?.offset).toBeLessThanOrEqual(offset);
    expect(records.at(-1)?.offset).toBeGreaterThanOrEqual(offset);
    for (const record of records) expect(record).toEqual({ offset: record.offset, ...model.records[record.offset] });
  }
  toString(): string {
    return `read(${this.share} of the log, ${this.maxBytes} bytes)`;
  }
}

class Reopen implements fc.AsyncCommand<Model, Real> {
  readonly clean: boolean;
  constructor(clean: boolean) {
    this.clean = clean;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    await real.log.close(this.clean);
    const { log, events } = await opened(real.storage, { config: real.config, clock: real.clock, cleanShutdown: this.clean });
    real.log = log;
    expect(events).toEqual([]);
    await same(model, real);
  }
  toString(): string {
    return `reopen(${this.clean ? "clean" : "unclean"})`;
  }
}

class DeleteRecords implements fc.AsyncCommand<Model, Real> {
  readonly share: number;
  constructor(share: number) {
    this.share = share;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const offset = model.logStartOffset + Math.floor(this.share * (model.records.length - model.logStartOffset));
    expect(await real.log.deleteRecordsBefore(offset)).toBe(offset);
    model.logStartOffset = offset;
  }
  toString(): string {
    return `deleteRecordsBefore(${this.share})`;
  }
}

class Retain implements fc.AsyncCommand<Model, Real> {
  readonly agedMs: number;
  constructor(agedMs: number) {
    this.agedMs = agedMs;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    real.clock.jump(this.agedMs);
    const bytesBefore = real.log.byteLength;
    const result = await real.log.applyRetention();
    expect(bytesBefore - real.log.byteLength).toBe(result.bytesReclaimed);
    const { logStartOffset } = real.log.watermarks;
    // Only what is old enough may go.
    for (let offset = model.logStartOffset; offset < logStartOffset; offset += 1) {
      expect(real.clock.now() - (model.records[offset]?.timestamp ?? 0)).toBeGreaterThan(real.config.retentionMs ?? 0);
    }
    expect(logStartOffset).toBeGreaterThanOrEqual(model.logStartOffset);
    model.logStartOffset = logStartOffset;
  }
  toString(): string {
    return `applyRetention(after ${this.agedMs} ms)`;
  }
}

class FindTime implements fc.AsyncCommand<Model, Real> {
  readonly share: number;
  constructor(share: number) {
    this.share = share;
  }
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const timestamp = NOW_MS + Math.floor(this.share * (real.clock.now() - NOW_MS + 10)) - 5;
    const offset = model.records.findIndex((record, at) => at >= model.logStartOffset && record.timestamp >= timestamp);
    const expected = offset < 0 ? null : { offset, timestamp: model.records[offset]?.timestamp };
    expect(await real.log.offsetForTime(timestamp)).toEqual(expected);
  }
  toString(): string {
    return `offsetForTime(${this.share})`;
  }
}

async function same(model: Model, real: Real): Promise<void> {
  expect(real.log.watermarks).toEqual({
    logStartOffset: model.logStartOffset,
    lastStableOffset: model.records.length,
    highWatermark: model.records.length,
    logEndOffset: model.records.length,
  });
  const read = (await readAll(real.log)).filter((record) => record.offset >= model.logStartOffset);
  expect(read).toEqual(
    model.records.slice(model.logStartOffset).map((record, index) => ({ offset: model.logStartOffset + index, ...record })),
  );
}

const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

describe("a partition's log against an array", () => {
  it("holds what was appended, under every order of appends, reads, reopenings, deletions and retention", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.commands(
          [
            fc
              .tuple(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 400 }))
              .map(([lengths, ms]) => new Append(lengths, ms)),
            fc
              .tuple(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 2 }), fc.integer({ min: 0, max: 50 }))
              .map(([lengths, ms]) => new Append(lengths, ms)),
            fc.tuple(share, fc.integer({ min: 1, max: 1500 })).map(([at, maxBytes]) => new Read(at, maxBytes)),
            fc.boolean().map((clean) => new Reopen(clean)),
            share.map((at) => new DeleteRecords(at)),
            fc.integer({ min: 0, max: 3000 }).map((ms) => new Retain(ms)),
            share.map((at) => new FindTime(at)),
          ],
          { maxCommands: 40 },
        ),
        fc.constantFrom<Partial<TopicConfig>>(
          { segmentBytes: 700, indexIntervalBytes: 100, retentionMs: 2000 },
          { segmentBytes: 2000, indexIntervalBytes: 4096, retentionMs: 2000, segmentMs: 500 },
          { segmentBytes: 100_000, indexIntervalBytes: 1, segmentIndexBytes: 40, retentionMs: 1000 },
          { segmentBytes: 900, indexIntervalBytes: 200, retentionMs: 1500, durability: "os" },
        ),
        async (commands, config) => {
          const storage = memory();
          const clock = new ManualClock(NOW_MS);
          const { log } = await created(storage, { config, clock });
          const real: Real = { storage, clock, config, log };
          const model: Model = { records: [], logStartOffset: 0 };
          await fc.asyncModelRun(() => ({ model, real }), commands);
          await same(model, real);
          await real.log.close(true);
        },
      ),
      { numRuns: Number(process.env["ODRADEK_RUNS"] ?? 100), timeout: 5000, interruptAfterTimeLimit: 200_000 },
    );
  }, 300_000);
});
