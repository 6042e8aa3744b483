/** A fetch over logs of the test's own: how its room is shared out, what it waits for, and what ends the wait. */
import { describe, expect, it, vi } from "vitest";
import type { FetchRequest } from "../../src/api/broker.ts";
import type { Bytes, Watermarks } from "../../src/api/bytes.ts";
import { StorageError } from "../../src/base/errors.ts";
import { FetchPath, type Spent } from "../../src/engine/fetch-path.ts";
import { OpenTopic, type PartitionSlot } from "../../src/engine/open-topic.ts";
import { TopicRegistry } from "../../src/engine/topic-registry.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { keyedBatch } from "../log/compaction-rig.ts";

/** A log of one batch at a time: what it has, and what it was asked. */
class FakeLog {
  batches: Bytes = new Uint8Array(0);
  watermarks: Watermarks = { logStartOffset: 3, lastStableOffset: 8, highWatermark: 9, logEndOffset: 10 };
  logStartOffset = 3;
  readonly asked: number[] = [];
  readonly listeners: Set<() => void> = new Set();
  aborted: readonly object[] | null = [];
  found: { readonly offset: number; readonly timestamp: number } | null = null;
  failure: Error | null = null;
  onRead: () => void = () => {};
  /** Nothing is told at once. */
  isCold = false;

  async read(_offset: number, maxBytes: number): Promise<Bytes> {
    this.asked.push(maxBytes);
    this.onRead();
    if (this.failure !== null) throw this.failure;
    return this.batches;
  }
  readSync(_offset: number, maxBytes: number): Bytes | null {
    if (this.isCold) return null;
    this.asked.push(maxBytes);
    if (this.failure !== null) throw this.failure;
    return this.batches;
  }
  readPartSync(): boolean {
    if (this.failure !== null) throw this.failure;
    return this.batches.byteLength > 0;
  }
  async abortedTransactions(): Promise<readonly object[] | null> {
    return this.aborted;
  }
  abortedTransactionsSync(): readonly object[] | null {
    return this.aborted;
  }
  async offsetForTime(): Promise<FakeLog["found"]> {
    return this.found;
  }
  onProgress(call: () => void): () => void {
    this.listeners.add(call);
    return () => void this.listeners.delete(call);
  }
  move(): void {
    for (const call of this.listeners) call();
  }
}

interface Bed {
  readonly logs: FakeLog[];
  readonly clock: ManualClock;
  readonly path: FetchPath;
  readonly closed: AbortController;
  readonly topic: OpenTopic;
}

function bed(count: number, more: readonly PartitionSlot[] = []): Bed {
  const logs = Array.from({ length: count }, () => new FakeLog());
  const topics = new TopicRegistry();
  const slots: PartitionSlot[] = logs.map((log) => ({ state: "open", log: log as unknown as PartitionLog }));
  const facts = { name: "t", topicId: "an id", internal: false, frozen: false, overrides: {}, config: {} as never };
  const topic = new OpenTopic({ ...facts, slots: [...slots, ...more] });
  topics.put(topic);
  const clock = new ManualClock();
  const closed = new AbortController();
  return { logs, clock, closed, topic, path: new FetchPath(topics, clock, closed.signal) };
}

const request = (maxBytes: readonly number[], more: Partial<FetchRequest> = {}): FetchRequest => ({
  partitions: maxBytes.map((each, partition) => ({ topic: "t", partition, offset: 5, maxBytes: each })),
  minBytes: 1,
  maxWaitMs: 0,
  maxBytes: 1000,
  isolation: "readUncommitted",
  ...more,
});
/** Of a length, and nothing a reader of uncommitted records looks at. */
const bytes = (byteLength: number): Bytes => new Uint8Array(byteLength);
const NOWHERE: PartitionSlot = { state: "failed", error: new StorageError("PARTITION_FAILED", "could not be opened") };

describe("the room of a fetch", () => {
  it.each([
    ["is what is left of the whole, and what each may have of it", [60, 60, 60], [50, 30, 30], 100, [60, 50, 20]],
    ["that is used up to the last byte gives the others nothing", [60, 60, 60], [60, 40, 9], 100, [60, 40, null]],
    ["that the first batch went beyond gives the others nothing", [60, 60, 60], [150, 40, 9], 100, [60, null, null]],
    ["of one byte gives the first partition that has anything its batch", [60, 60, 60], [0, 40, 9], 1, [1, 1, null]],
    ["is nobody's of whom nothing may come, once something has", [60, 0, 60], [50, 40, 9], 100, [60, null, 50]],
    ["of none at all is asked for by the first alone that has something", [0, 0, 60], [0, 40, 9], 0, [0, 0, null]],
  ])("%s", async (_, wanted, lengths, maxBytes, asked) => {
    const { logs, path } = bed(3);
    for (const [partition, log] of logs.entries()) log.batches = bytes(lengths[partition] as number);
    const { partitions } = await path.fetch(request(wanted, { maxBytes }));
    expect(logs.map((log) => log.asked[0] ?? null)).toEqual(asked);
    expect(partitions.map(({ batches }) => batches.byteLength)).toEqual(asked.map((each, at) => (each === null ? 0 : lengths[at])));
    // Where nothing was read the marks are told all the same.
    for (const { watermarks, fault, abortedTransactions } of partitions)
      expect([watermarks.highWatermark, fault, abortedTransactions]).toEqual([9, null, []]);
  });
});

describe("a fetch that may wait", () => {
  it("is answered at once with as many bytes as it needs, of all partitions together", async () => {
    const { logs, path, clock } = bed(2);
    for (const log of logs) log.batches = bytes(50);
    const { partitions, throttleTimeMs } = await path.fetch(request([500, 500], { minBytes: 100, maxWaitMs: 1000 }));
    expect([partitions.length, throttleTimeMs, clock.pendingCount, path.fetches, path.bytes]).toEqual([2, 0, 0, 1, 100]);
    expect(logs.map((log) => log.listeners.size)).toEqual([0, 0]);
  });

  it("waits with one byte less, looks again when a log moves, and is answered when that is enough", async () => {
    const { logs, path, clock } = bed(2);
    const [first, second] = logs as [FakeLog, FakeLog];
    first.batches = bytes(99);
    const answer = path.fetch(request([500, 500], { minBytes: 100, maxWaitMs: 1000 }));
    await settled();
    expect([clock.nextDelayMs, path.fetches]).toEqual([1000, 0]);
    await clock.advance(400);
    second.move();
    await settled();
    // Not enough yet: what is left of its time is waited for.
    expect([first.asked.length, clock.nextDelayMs]).toEqual([2, 600]);
    second.batches = bytes(1);
    second.move();
    expect((await answer).partitions.map(({ batches }) => batches.byteLength)).toEqual([99, 1]);
    expect([path.fetches, path.bytes, clock.pendingCount]).toEqual([1, 100, 0]);
    expect(logs.map((log) => log.listeners.size)).toEqual([0, 0]);
  });

  it.each([
    ["at hand", [false, false, false]],
    ["the first to be waited for", [true, false, false]],
    ["the last to be waited for", [false, false, true]],
    ["all to be waited for", [true, true, true]],
  ])("shares its room out in the order asked, %s", async (_, areCold) => {
    const { logs, path } = bed(3);
    for (const [at, log] of logs.entries()) {
      log.batches = bytes([50, 40, 9][at] as number);
      log.isCold = areCold[at] as boolean;
    }
    const { partitions } = await path.fetch(request([60, 60, 60], { maxBytes: 100 }));
    expect(partitions.map(({ partition, batches }) => [partition, batches.byteLength])).toEqual([
      [0, 50],
      [1, 40],
      [2, 9],
    ]);
    expect(logs.map(({ asked }) => asked)).toEqual([[60], [50], [10]]);
  });

  it("sees a partition that had no record when it began, once it looks again", async () => {
    const { logs, path, topic } = bed(1, [{ state: "empty" }]);
    const [log] = logs as [FakeLog];
    const answer = path.fetch(request([500, 500], { maxWaitMs: 1000 }));
    await settled();
    const made = new FakeLog();
    topic.slots[1] = { state: "open", log: made as unknown as PartitionLog };
    log.move();
    await settled();
    expect([log.listeners.size, made.listeners.size]).toEqual([1, 1]);
    made.batches = bytes(3);
    made.move();
    expect((await answer).partitions.map(({ batches }) => batches.byteLength)).toEqual([0, 3]);
    expect([log.listeners.size, made.listeners.size]).toEqual([0, 0]);
  });

  it("leaves one listener on a signal, however many fetches wait under it, and each is ended by it", async () => {
    const { logs, path, clock, closed } = bed(1);
    const [log] = logs as [FakeLog];
    const stop = new AbortController();
    const listened = vi.spyOn(stop.signal, "addEventListener");
    for (let round = 0; round < 3; round += 1) {
      log.batches = bytes(0);
      const answer = path.fetch(request([500], { maxWaitMs: 1000 }), stop.signal);
      await settled();
      log.batches = bytes(4);
      log.move();
      await answer;
    }
    log.batches = bytes(0);
    const waiting = [1, 2].map(() => path.fetch(request([500], { maxWaitMs: 1000 }), stop.signal));
    const others = path.fetch(request([500], { maxWaitMs: 1000 }));
    await settled();
    stop.abort(new Error("enough"));
    for (const each of waiting) await expect(each).rejects.toThrow("enough");
    expect([listened.mock.calls.length, log.listeners.size, clock.pendingCount]).toEqual([1, 1, 1]);
    closed.abort();
    expect((await others).partitions[0]?.batches.byteLength).toBe(0);
    expect([log.listeners.size, clock.pendingCount]).toEqual([0, 0]);
  });

  it("is not remembered by its signal once it is answered", async () => {
    const { logs, path } = bed(1);
    const { signal } = new AbortController();
    const answer = path.fetch(request([500], { maxWaitMs: 1000 }), signal);
    await settled();
    const deleted = vi.spyOn(Set.prototype, "delete");
    (logs[0] as FakeLog).batches = bytes(1);
    (logs[0] as FakeLog).move();
    await answer;
    const forgotten = deleted.mock.calls.filter(([each]) => typeof each === "function");
    vi.restoreAllMocks();
    // By the log, by its signal, and by the end of all.
    expect(forgotten).toHaveLength(3);
  });

  it("is answered at its time with what there is", async () => {
    const { logs, path, clock } = bed(1);
    (logs[0] as FakeLog).batches = bytes(7);
    const answer = path.fetch(request([500], { minBytes: 100, maxWaitMs: 250 }));
    await clock.advance(249);
    expect(path.fetches).toBe(0);
    await clock.advance(1);
    expect((await answer).partitions[0]?.batches.byteLength).toBe(7);
    expect([path.fetches, path.bytes]).toEqual([1, 7]);
  });

  it("misses nothing that comes while it looks", async () => {
    const { logs, path } = bed(1);
    const [log] = logs as [FakeLog];
    log.isCold = true;
    log.onRead = () => {
      if (log.asked.length > 1) return;
      // Behind the look, and before the wait.
      log.move();
      queueMicrotask(() => {
        log.batches = bytes(5);
      });
    };
    expect((await path.fetch(request([500], { maxWaitMs: 1000 }))).partitions[0]?.batches.byteLength).toBe(5);
    expect(log.asked).toHaveLength(2);
  });

  it("is answered at once where a partition has a fault, so that it is told", async () => {
    const { path, clock } = bed(1, [NOWHERE]);
    const { partitions } = await path.fetch(request([500, 500], { maxWaitMs: 1000 }));
    expect(partitions).toMatchObject([{ fault: null }, { fault: { code: "PARTITION_FAILED" }, watermarks: { highWatermark: 0 } }]);
    expect(clock.pendingCount).toBe(0);
  });

  it("given up before it began is not made, and one that waits leaves nothing behind", async () => {
    const { logs, path, clock } = bed(1);
    const [log] = logs as [FakeLog];
    const reason = new Error("enough");
    await expect(path.fetch(request([500]), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(log.asked).toEqual([]);
    const stop = new AbortController();
    const waiting = path.fetch(request([500], { maxWaitMs: 1000 }), stop.signal);
    await settled();
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect([clock.pendingCount, log.listeners.size, log.asked.length, path.fetches]).toEqual([0, 0, 1, 0]);
  });

  it("tells what it took of the process's time, its waits left out", async () => {
    const { logs, path, clock } = bed(1);
    const [log] = logs as [FakeLog];
    log.isCold = true;
    const workingMs = clock.monotonic.bind(clock);
    let workedMs = 0;
    clock.monotonic = () => workingMs() + workedMs;
    log.onRead = () => {
      workedMs += 3;
    };
    const spent: Spent = { ms: 2 };
    const answer = path.fetch(request([500], { maxWaitMs: 100 }), undefined, spent);
    await settled();
    await clock.advance(100);
    await answer;
    expect([log.asked.length, spent.ms]).toEqual([2, 8]);
  });
});

describe("what is at hand", () => {
  it("is where a partition stands, and a read that counts like a fetch", () => {
    const { logs, path } = bed(1, [NOWHERE, { state: "empty" }]);
    const [log] = logs as [FakeLog];
    log.batches = keyedBatch([["k", "v"]]) as Bytes;
    expect(path.standing("t", 0)).toEqual({ topicId: "an id", logStartOffset: 3 });
    for (const [topic, partition] of [
      ["t", 1],
      ["t", 2],
      ["t", 3],
      ["u", 0],
    ] as const) {
      expect(path.standing(topic, partition)).toBeNull();
      expect(path.read({ topic, partition, offset: 5, maxBytes: 9 })).toBeNull();
      expect(path.part({ topic, partition } as never, bytes(4))).toBe(false);
    }
    expect([path.fetches, path.bytes]).toEqual([0, 0]);
    const answer = path.read({ topic: "t", partition: 0, offset: 5, maxBytes: 9 });
    expect(answer).toEqual({
      topic: "t",
      partition: 0,
      fault: null,
      watermarks: log.watermarks,
      abortedTransactions: [],
      batches: log.batches,
    });
    expect([log.asked, path.fetches, path.bytes]).toEqual([[9], 1, log.batches.byteLength]);
    expect(path.part({ topic: "t", partition: 0 } as never, bytes(4))).toBe(true);
    expect([path.fetches, path.bytes]).toEqual([2, log.batches.byteLength + 4]);
  });

  it("is nothing where the log cannot tell at once, or throws", () => {
    const { logs, path } = bed(1);
    const [log] = logs as [FakeLog];
    const wanted = { topic: "t", partition: 0, offset: 5, maxBytes: 9 };
    log.batches = null as never;
    expect(path.read(wanted)).toBeNull();
    log.batches = bytes(0);
    expect(path.part(wanted as never, bytes(4))).toBe(false);
    log.failure = new Error("out of range");
    expect(path.read(wanted)).toBeNull();
    expect(path.part(wanted as never, bytes(4))).toBe(false);
    expect([path.fetches, path.bytes]).toEqual([0, 0]);
  });
});

describe("a listed offset", () => {
  const ask = async ({ path }: Bed, at: "earliest" | "latest" | number, isolation: FetchRequest["isolation"], partition = 0) =>
    (await path.listOffsets({ partitions: [{ topic: "t", partition, at }], isolation }))[0];

  it.each([
    ["earliest", "readCommitted", 3],
    ["earliest", "readUncommitted", 3],
    ["latest", "readCommitted", 8],
    ["latest", "readUncommitted", 9],
  ] as const)("%s, %s, is %d, without a timestamp", async (at, isolation, offset) => {
    const made = bed(1);
    expect(await ask(made, at, isolation)).toEqual({
      topic: "t",
      partition: 0,
      fault: null,
      offset,
      timestamp: -1,
      watermarks: (made.logs[0] as FakeLog).watermarks,
    });
  });

  it("by time is the log's, unless this reader may not see it yet: from the last stable offset on", async () => {
    const made = bed(1);
    const [log] = made.logs as [FakeLog];
    expect(await ask(made, 1000, "readUncommitted")).toMatchObject({ offset: null, timestamp: -1, fault: null });
    log.found = { offset: 7, timestamp: 1001 };
    expect(await ask(made, 1000, "readCommitted")).toMatchObject({ offset: 7, timestamp: 1001 });
    log.found = { offset: 8, timestamp: 1002 };
    expect(await ask(made, 1000, "readCommitted")).toMatchObject({ offset: null, timestamp: -1 });
    expect(await ask(made, 1000, "readUncommitted")).toMatchObject({ offset: 8, timestamp: 1002 });
  });

  it("of a partition without a record yet is 0, and of one that is not there a fault without marks", async () => {
    const made = bed(0, [{ state: "empty" }]);
    expect(await ask(made, "latest", "readUncommitted")).toMatchObject({ offset: 0, fault: null });
    expect(await ask(made, 5, "readUncommitted")).toMatchObject({ offset: null, timestamp: -1, fault: null });
    expect(await ask(made, "latest", "readUncommitted", 1)).toEqual({
      topic: "t",
      partition: 1,
      fault: expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" }) as object,
      offset: null,
      timestamp: -1,
      watermarks: { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 },
    });
  });
});

describe("the aborted transactions of a fetch", () => {
  it("stand in the order of their first offsets, without the log's own fields, and for a reader of committed records alone", async () => {
    const { logs, path } = bed(1);
    const [log] = logs as [FakeLog];
    // Transactional, so that there may be some.
    const batch = keyedBatch([["k", "v"]]) as Bytes;
    batch[22] = 0x10;
    log.batches = batch;
    log.aborted = [
      { producerId: 2n, firstOffset: 7, lastOffset: 8, lastStableOffset: 0 },
      { producerId: 1n, firstOffset: 5, lastOffset: 9, lastStableOffset: 0 },
    ];
    const sorted = [
      { producerId: 1n, firstOffset: 5 },
      { producerId: 2n, firstOffset: 7 },
    ];
    const committed = await path.fetch(request([500], { isolation: "readCommitted" }));
    expect(committed.partitions[0]?.abortedTransactions).toEqual(sorted);
    expect(path.read({ topic: "t", partition: 0, offset: 5, maxBytes: 9 })?.abortedTransactions).toEqual(sorted);
    expect((await path.fetch(request([500]))).partitions[0]?.abortedTransactions).toEqual([]);
    // Where they cannot be told at once, neither can the records.
    log.aborted = null;
    expect(path.read({ topic: "t", partition: 0, offset: 5, maxBytes: 9 })).toBeNull();
  });
});
