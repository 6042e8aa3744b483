/** Markers on logs of the test's own: where one is written, where it stands already, where it cannot be, and who is told. */
import { describe, expect, it } from "vitest";
import { StorageError } from "../../src/base/errors.ts";
import type { House } from "../../src/engine/house.ts";
import type { PartitionSlot } from "../../src/engine/open-topic.ts";
import { TransactionMarkers } from "../../src/engine/transaction-markers.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";

interface LogFacts {
  open: { readonly producerEpoch: number; readonly coordinatorEpoch: number } | null;
  frozen: boolean;
  failure: Error | null;
  appendFails: Error | null;
  flushFails: Error | null;
  /** Done while it is flushed. */
  onFlush: () => void;
}

interface FakeLog {
  readonly facts: LogFacts;
  readonly did: unknown[];
}

function logOf(facts: Partial<LogFacts> = {}): FakeLog {
  const all: LogFacts = {
    open: { producerEpoch: 3, coordinatorEpoch: -1 },
    frozen: false,
    failure: null,
    appendFails: null,
    flushFails: null,
    onFlush: () => {},
    ...facts,
  };
  const did: unknown[] = [];
  return {
    facts: all,
    did,
    spec: { directory: "orders-0", frozen: all.frozen },
    failure: all.failure,
    producers: { openTransaction: () => all.open },
    appendMarker: async (end: unknown) => {
      did.push(end);
      if (all.appendFails !== null) throw all.appendFails;
      return { lastOffset: 9 };
    },
    flush: async () => {
      did.push("flush");
      all.onFlush();
      if (all.flushFails !== null) throw all.flushFails;
    },
  } as unknown as FakeLog;
}

const END = { producerId: 7n, producerEpoch: 3, coordinatorEpoch: 5, commit: true };
const AT = { topic: "orders", partition: 0 };
const OFFSETS = { topic: "__consumer_offsets", partition: 0 };
const FAILED: PartitionSlot = { state: "failed", error: new StorageError("FILE_NOT_FOUND", "its directory is not there") };
const open = (log: FakeLog): PartitionSlot => ({ state: "open", log: log as unknown as PartitionLog });

function bed(
  slots: PartitionSlot[],
  topic = "orders",
): { readonly markers: TransactionMarkers; readonly ended: unknown[]; remove(): void } {
  let topics: Record<string, { readonly slots: PartitionSlot[] }> = { [topic]: { slots } };
  const ended: unknown[] = [];
  const house = { topics: { find: (name: string) => topics[name] } } as unknown as House;
  return {
    markers: new TransactionMarkers(house, (...told) => void ended.push(told)),
    ended,
    remove: () => {
      topics = {};
    },
  };
}

describe("the marker of a transaction", () => {
  it.each([
    ["everywhere", { producerEpoch: 3, coordinatorEpoch: -1 }, 5],
    ["everywhere", null, 5],
    ["everywhere", { producerEpoch: 4, coordinatorEpoch: 2 }, 5],
    // Another writer's coordinator was further on.
    ["everywhere", { producerEpoch: 3, coordinatorEpoch: 8 }, 8],
    ["where open", { producerEpoch: 3, coordinatorEpoch: -1 }, 5],
    ["where open", { producerEpoch: 2, coordinatorEpoch: 6 }, 6],
  ] as const)("is written %s, where %j is open, under coordinator epoch %d, and durable", async (scope, transaction, coordinatorEpoch) => {
    const log = logOf({ open: transaction });
    const { markers, ended } = bed([open(log)]);
    expect(await markers.end(END, [AT], scope)).toEqual({ written: [{ log, offset: 9 }], late: [] });
    expect(log.did).toEqual([{ ...END, coordinatorEpoch }, "flush"]);
    expect(ended).toEqual([]);
  });

  it.each([null, { producerEpoch: 4, coordinatorEpoch: 0 }])(
    "stands already, where open alone is meant and %j is: it is made durable, and not written again",
    async (transaction) => {
      const log = logOf({ open: transaction });
      const { markers } = bed([open(log)]);
      expect(await markers.end(END, [AT], "where open")).toEqual({ written: [], late: [] });
      expect(log.did).toEqual(["flush"]);
    },
  );

  it("is late in what another writer left, unless nothing is open there and that alone is meant", async () => {
    for (const [transaction, scope, isLate] of [
      [{ producerEpoch: 3, coordinatorEpoch: 0 }, "where open", true],
      [null, "everywhere", true],
      [null, "where open", false],
    ] as const) {
      const log = logOf({ frozen: true, open: transaction });
      const { late, written } = await bed([open(log)]).markers.end(END, [AT], scope);
      expect(late).toMatchObject(isLate ? [{ at: AT, error: { code: "TOPIC_NOT_ADOPTED" } }] : []);
      expect([written, log.did]).toEqual([[], []]);
    }
  });

  it("is late where the log has failed, refuses it, or could not be opened, and the others have theirs", async () => {
    const failure = new StorageError("PARTITION_FAILED", "a flush failed");
    const failed = logOf({ failure });
    const refusing = logOf({ appendFails: new StorageError("STORAGE_FULL", "no room") });
    const unflushed = logOf({ flushFails: failure });
    const good = logOf();
    const { markers } = bed([open(failed), open(refusing), open(unflushed), FAILED, open(good)]);
    const { written, late } = await markers.end(
      END,
      [0, 1, 2, 3, 4].map((partition) => ({ topic: "orders", partition })),
      "everywhere",
    );
    expect(written).toEqual([{ log: good, offset: 9 }]);
    expect(late.map(({ at, error }) => [at.partition, error.code]).sort()).toEqual([
      [0, "PARTITION_FAILED"],
      [1, "STORAGE_FULL"],
      [2, "PARTITION_FAILED"],
      [3, "FILE_NOT_FOUND"],
    ]);
    expect(failed.did).toEqual([]);
  });

  it("is nobody's loss where there is no topic, no record yet, or the topic went while it was written", async () => {
    const none = bed([{ state: "empty" }]);
    for (const at of [AT, { topic: "orders", partition: 4 }, { topic: "gone", partition: 0 }])
      expect(await none.markers.end(END, [at], "everywhere")).toEqual({ written: [], late: [] });
    const log = logOf({ flushFails: new Error("closed") });
    const going = bed([open(log)]);
    log.facts.onFlush = () => going.remove();
    expect(await going.markers.end(END, [AT], "everywhere")).toEqual({ written: [], late: [] });
    // Made anew under its name: another log.
    const gone = logOf({ flushFails: new Error("closed") });
    const slots = [open(gone)];
    const again = bed(slots);
    gone.facts.onFlush = () => {
      slots[0] = open(logOf());
    };
    expect(await again.markers.end(END, [AT], "everywhere")).toEqual({ written: [], late: [] });
  });

  it.each([true, false])(
    "in a partition of committed offsets is told of when it is durable or stands already (commit: %s), and not where it is late",
    async (commit) => {
      const end = { ...END, commit };
      for (const [slot, count] of [
        [open(logOf()), 1],
        [open(logOf({ open: null })), 1],
        [{ state: "empty" } as const, 1],
        [FAILED, 0],
        [open(logOf({ flushFails: new Error("no") })), 0],
      ] as const) {
        const { markers, ended } = bed([slot], OFFSETS.topic);
        await markers.end(end, [OFFSETS], "where open");
        expect(ended).toEqual(Array.from({ length: count }, () => [0, 7n, commit]));
      }
    },
  );
});

describe("the records of a transaction", () => {
  it("are durable when all of its partitions are, those that are gone left out", async () => {
    const logs = [logOf(), logOf()];
    const { markers } = bed([...logs.map(open), { state: "empty" }]);
    await markers.flush([0, 1, 2].map((partition) => ({ topic: "orders", partition })).concat({ topic: "gone", partition: 0 }));
    expect(logs.map(({ did }) => did)).toEqual([["flush"], ["flush"]]);
  });

  it.each([
    ["a log that has failed", () => open(logOf({ failure: new StorageError("PARTITION_FAILED", "no") })), "PARTITION_FAILED"],
    ["a flush that fails", () => open(logOf({ flushFails: new StorageError("STORAGE_FULL", "no") })), "STORAGE_FULL"],
    ["a partition that could not be opened", () => FAILED, "FILE_NOT_FOUND"],
  ] as const)("are not where there is %s, though the others are waited for", async (_, slot, code) => {
    const other = logOf();
    const { markers } = bed([slot(), open(other)]);
    await expect(markers.flush([AT, { topic: "orders", partition: 1 }])).rejects.toMatchObject({ code });
    expect(other.did).toEqual(["flush"]);
  });
});
