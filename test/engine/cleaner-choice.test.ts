/** Which partition the cleaner takes, in which order, with what, and when it comes back to one that failed: on logs of the test's own. */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import { CLEANER_BACKOFF_MS, Cleaner, type CleanerOptions } from "../../src/engine/cleaner.ts";
import { Events } from "../../src/engine/events.ts";
import type { House } from "../../src/engine/house.ts";
import type { CompactionOptions } from "../../src/log/compaction/compaction.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

interface Facts {
  ratio: number;
  mustClean: boolean;
  cleanableBytes: number;
  policy: string;
  frozen: boolean;
  failure: Error | null;
  problem: Error | null;
  rounds: number;
  bytes: readonly [before: number, after: number];
  records: readonly [before: number, after: number];
  /** What the look, or the pass, throws. */
  needFails: Error | null;
  passFails: Error | null;
  onPass: (options: CompactionOptions) => Promise<void>;
}

class FakeLog {
  readonly facts: Facts;
  readonly spec: object;
  readonly passes: CompactionOptions[] = [];
  readonly looks: number[] = [];
  readonly #bed: Bed;

  constructor(bed: Bed, topic: string, facts: Partial<Facts>) {
    this.facts = {
      ratio: 0.9,
      mustClean: false,
      cleanableBytes: 100,
      policy: "compact",
      frozen: false,
      failure: null,
      problem: null,
      rounds: 1,
      bytes: [100, 40],
      records: [10, 4],
      needFails: null,
      passFails: null,
      onPass: async () => {},
      ...facts,
    };
    this.#bed = bed;
    const config = () => ({ cleanupPolicy: this.facts.policy, minCleanableDirtyRatio: 0.5 });
    this.spec = { topic, partition: 3, frozen: this.facts.frozen, config };
  }
  get failure(): Error | null {
    return this.facts.failure;
  }
  get compactionProblem(): Error | null {
    return this.facts.problem;
  }
  async compactionNeed(nowMs: number): Promise<object> {
    this.looks.push(nowMs);
    if (this.facts.needFails !== null) throw this.facts.needFails;
    return this.facts;
  }
  async compact(options: CompactionOptions): Promise<object> {
    this.passes.push(options);
    this.#bed.order.push((this.spec as { readonly topic: string }).topic);
    await this.facts.onPass(options);
    if (this.facts.passFails !== null) throw this.facts.passFails;
    const { rounds, bytes, records } = this.facts;
    // Clean by now.
    if (rounds > 0) this.facts.ratio = 0;
    return { rounds, bytesBefore: bytes[0], bytesAfter: bytes[1], recordsBefore: records[0], recordsAfter: records[1] };
  }
}

class Bed {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly closed = new AbortController();
  readonly told: OdradekEvent[] = [];
  readonly logs: FakeLog[] = [];
  /** Topics, in the order in which they were passed over. */
  readonly order: string[] = [];
  readonly written: unknown[] = [];
  turns = 0;
  writeFails: Error | null = null;
  readonly cleaner: Cleaner;

  constructor(options: CleanerOptions = {}) {
    const writeFirstDirty = async (log: unknown): Promise<void> => {
      this.written.push(log);
      if (this.writeFails !== null) throw this.writeFails;
    };
    const house = {
      context: { clock: this.clock },
      events: new Events(this.clock, { onEvent: (event) => void this.told.push(event) }),
      topics: { openLogs: () => this.logs },
      checkpoints: { writeFirstDirty },
    } as unknown as House;
    const withFiles = async <Result>(call: () => Promise<Result>): Promise<Result> => {
      this.turns += 1;
      return await call();
    };
    this.cleaner = new Cleaner(house, options, withFiles, this.closed.signal);
  }
  log(topic: string, facts: Partial<Facts> = {}): FakeLog {
    const log = new FakeLog(this, topic, facts);
    this.logs.push(log);
    return log;
  }
}

describe("the cleaner at its hours", () => {
  it("takes the filthiest first, of equals the first, and a turn with the files for each", async () => {
    const bed = new Bed();
    for (const [topic, ratio] of [
      ["a", 0.6],
      ["b", 0.9],
      ["c", 0.9],
      ["d", 0.7],
    ] as const)
      bed.log(topic, { ratio });
    await bed.cleaner.run();
    expect([bed.order, bed.turns]).toEqual([["b", "c", "d", "a"], 4]);
    expect(bed.logs[0]?.looks[0]).toBe(1_700_000_000_000);
    for (const { passes } of bed.logs) expect(passes).toMatchObject([{ roundsMax: 1, dedupeBufferByteLength: 16 * 1024 * 1024 }]);
    expect(bed.written).toEqual([bed.logs[1], bed.logs[2], bed.logs[3], bed.logs[0]]);
  });

  it("leaves what is not due: at the ratio and not above it, unless it has waited for long", async () => {
    const bed = new Bed();
    bed.log("at the ratio", { ratio: 0.5 });
    bed.log("has waited", { ratio: 0.1, mustClean: true });
    bed.log("has nothing", { ratio: 0, mustClean: true, cleanableBytes: 0 });
    bed.log("above it", { ratio: 0.51 });
    await bed.cleaner.run();
    expect(bed.order).toEqual(["above it", "has waited"]);
  });

  it("leaves what is not compacted, not ours, failed or cannot be cleaned, and counts the last of these that are ours", async () => {
    const bed = new Bed();
    const problem = new Error("damaged");
    bed.log("deleted from", { policy: "delete" });
    bed.log("not ours", { frozen: true });
    bed.log("failed", { failure: problem });
    bed.log("uncleanable", { problem });
    bed.log("theirs, uncleanable", { problem, frozen: true });
    bed.log("both", { policy: "compact,delete" });
    await bed.cleaner.run();
    expect(bed.order).toEqual(["both"]);
    expect(bed.cleaner.metrics()["partitionsUncleanable"]).toBe(1);
  });

  it("counts passes, bytes and records that they gave back; one that made the log longer gave back no bytes", async () => {
    const bed = new Bed();
    bed.log("a", { bytes: [100, 40], records: [10, 4] });
    bed.log("b", { bytes: [100, 130], records: [10, 9] });
    await bed.cleaner.run();
    expect(bed.cleaner.metrics()).toEqual({
      compactions: 2,
      compactionBytesReclaimed: 60,
      compactionRecordsRemoved: 7,
      partitionsUncleanable: 0,
    });
  });

  it("takes a partition of which nothing could be cleaned no more in this run, and again in the next", async () => {
    const bed = new Bed();
    bed.log("a", { rounds: 0, ratio: 0.99 });
    bed.log("b");
    await bed.cleaner.run();
    expect(bed.order).toEqual(["a", "b"]);
    expect([bed.cleaner.metrics()["compactions"], bed.written.length]).toEqual([1, 1]);
    await bed.cleaner.run();
    expect(bed.order).toEqual(["a", "b", "a"]);
  });

  it("tells of a book that could not be written, and counts the pass all the same", async () => {
    const bed = new Bed();
    bed.writeFails = new Error("no room");
    bed.log("a");
    await bed.cleaner.run();
    expect(bed.told).toMatchObject([{ type: "storage.failed", partition: { topic: "a", partition: 3 }, error: bed.writeFails }]);
    expect(bed.cleaner.metrics()["compactions"]).toBe(1);
  });
});

describe("a partition that could not be compacted", () => {
  it.each(["needFails", "passFails"] as const)("is left for 15 s, then twice as long each time, up to 5 minutes (%s)", async (step) => {
    const bed = new Bed();
    const log = bed.log("a", { [step]: new Error("no room") });
    const triedMs: number[] = [];
    const count = (): number => (step === "needFails" ? log.looks.length : log.passes.length);
    for (let elapsedMs = 0; elapsedMs <= 1_500_000; elapsedMs += CLEANER_BACKOFF_MS) {
      const before = count();
      await bed.cleaner.run();
      if (count() > before) triedMs.push(elapsedMs);
      await bed.clock.advance(CLEANER_BACKOFF_MS);
    }
    const waits = triedMs.slice(1).map((ms, at) => (ms - (triedMs[at] as number)) / 1000);
    expect(waits).toEqual([15, 30, 60, 120, 240, 300, 300, 300]);
  });

  it("holds nobody up, is tried on demand whatever its time, and begins anew once that worked", async () => {
    const bed = new Bed();
    const log = bed.log("a", { passFails: new Error("no room") });
    bed.log("b", { ratio: 0.6 });
    for (let round = 0; round < 4; round += 1) {
      await bed.cleaner.run();
      await bed.clock.advance(CLEANER_BACKOFF_MS);
    }
    expect(bed.order).toEqual(["a", "b", "a", "a"]);
    log.facts.passFails = null;
    expect(await bed.cleaner.cleanAll()).toBe(120);
    log.facts.ratio = 0.9;
    log.facts.passFails = new Error("no room again");
    await bed.cleaner.run();
    await bed.clock.advance(CLEANER_BACKOFF_MS - 1);
    await bed.cleaner.run();
    expect(bed.order.slice(4)).toEqual(["a", "b", "a"]);
    await bed.clock.advance(1);
    await bed.cleaner.run();
    expect(bed.order.at(-1)).toBe("a");
    expect(bed.order).toHaveLength(8);
  });
});

describe("the cleaner on demand", () => {
  it("passes over everything compacted, due or not, to its end, and answers what this call gave back", async () => {
    const bed = new Bed({ logCleanerDedupeBufferSize: 4096 });
    for (const topic of ["a", "b"]) bed.log(topic, { ratio: 0 });
    bed.log("kept", { policy: "delete" });
    expect(await bed.cleaner.cleanAll()).toBe(120);
    expect(bed.order).toEqual(["a", "b"]);
    expect(bed.logs[0]?.passes).toMatchObject([{ roundsMax: Number.POSITIVE_INFINITY, dedupeBufferByteLength: 4096 }]);
    for (const { facts } of bed.logs) facts.rounds = 0;
    expect(await bed.cleaner.cleanAll()).toBe(0);
  });

  it("goes no further than its signal lets it, and leaves no listener behind", async () => {
    const bed = new Bed();
    const stop = new AbortController();
    const reason = new Error("enough");
    bed.log("a", { onPass: async () => stop.abort(reason) });
    bed.log("b");
    await expect(bed.cleaner.cleanAll(stop.signal)).rejects.toBe(reason);
    expect([bed.order, bed.logs[0]?.passes[0]?.signal?.aborted]).toEqual([["a"], true]);
    for (const signal of [stop.signal, bed.closed.signal]) expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("and at its hours begins nothing more once the log closes, and calls that no error", async () => {
    const bed = new Bed();
    bed.log("a", { onPass: async () => bed.closed.abort() });
    bed.log("b");
    expect(await bed.cleaner.cleanAll()).toBe(60);
    await bed.cleaner.run();
    expect(bed.order).toEqual(["a"]);
  });
});

describe("a pass", () => {
  it("is interrupted for the topic that is to go, and for no other; that is no failure of the partition", async () => {
    const bed = new Bed();
    const log = bed.log("a", {
      onPass: (options) => new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(new Error("interrupted")))),
    });
    bed.cleaner.interrupt("a");
    const running = bed.cleaner.run();
    await settled();
    bed.cleaner.interrupt("b");
    expect(log.passes[0]?.signal?.aborted).toBe(false);
    bed.cleaner.interrupt("a");
    await running;
    expect(log.passes).toHaveLength(1);
    expect(log.passes[0]?.signal?.aborted).toBe(true);
    // Not held off: the next run takes it at once.
    log.facts.onPass = async () => {};
    await bed.cleaner.run();
    expect(log.passes).toHaveLength(2);
    bed.cleaner.interrupt("a");
    expect(log.passes[1]?.signal?.aborted).toBe(false);
  });

  it("pays for its bytes at the rate that was set, and for nothing where none was", async () => {
    for (const [options, delayMs] of [
      [{ logCleanerIoMaxBytesPerSecond: 1000 }, 2000],
      [{}, Number.POSITIVE_INFINITY],
    ] as const) {
      const bed = new Bed(options);
      bed.log("a", { onPass: async ({ throttle }) => throttle?.(2000) });
      const running = bed.cleaner.run();
      await settled();
      expect(bed.clock.nextDelayMs).toBe(delayMs);
      await bed.clock.advance(2000);
      await running;
    }
  });
});
