/** Offsets committed within transactions: what is told of them is what a reader of the whole log would say, now and after a restart. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupPartition } from "../../src/group/group-partition.ts";
import { OffsetStore, type StoredBatch } from "../../src/group/offset-store.ts";
import { PendingOffsets } from "../../src/group/pending-offsets.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const GROUP = "g";
const PARTITION = groupPartition(GROUP);
const DAY_MS = 24 * 3600 * 1000;

/** A store over one partition of records and markers. */
class Shelf {
  readonly clock = new ManualClock();
  readonly store: OffsetStore;
  readonly batches: StoredBatch[];

  constructor(batches: readonly StoredBatch[] = []) {
    this.batches = [...batches];
    this.store = new OffsetStore({
      clock: this.clock,
      appender: {
        append: async (_partition, records, _durable, transaction) => {
          this.batches.push({ producerId: transaction?.producerId ?? -1n, transactional: transaction !== null, marker: null, records });
        },
      },
    });
    for (const batch of batches) this.store.loadBatch(batch, PARTITION);
  }

  async commit(partition: number, nextOffset: number, producer: bigint | null = null): Promise<void> {
    const offsets = [{ topic: "t", partition, nextOffset, leaderEpoch: -1, metadata: "" }];
    if (producer === null) await this.store.commit(GROUP, offsets, false);
    else await this.store.commitInTransaction(GROUP, offsets, { producerId: producer, producerEpoch: 0 });
  }

  end(producerId: bigint, committed: boolean): void {
    this.batches.push({ producerId, transactional: true, marker: committed ? "commit" : "abort", records: [] });
    this.store.transactionEnded(PARTITION, producerId, committed);
  }

  told(): Record<number, number | null> {
    return Object.fromEntries(this.store.fetch(GROUP, null).map(({ partition, nextOffset }) => [partition, nextOffset]));
  }

  reopened(): Shelf {
    return new Shelf(this.batches);
  }
}

type Step =
  | { readonly kind: "commit"; readonly partition: number; readonly producer: bigint | null }
  | { readonly kind: "end"; readonly producer: bigint; readonly committed: boolean }
  | { readonly kind: "delete"; readonly partition: number }
  | { readonly kind: "reopen" };

const producer = fc.constantFrom(1n, 2n, 3n);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("commit" as const), partition: fc.nat(1), producer: fc.option(producer) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), producer, committed: fc.boolean() }) },
  fc.record({ kind: fc.constant("delete" as const), partition: fc.nat(1) }),
  fc.record({ kind: fc.constant("reopen" as const) }),
);

interface Entry {
  readonly partition: number;
  readonly producer: bigint | null;
  /** null: taken back. */
  readonly nextOffset: number | null;
  counts: boolean | null;
}

/** The last record of each place that counts, by its place in the log: what compaction keeps. */
function lastThatCounts(log: readonly Entry[]): Record<number, number> {
  const found: Record<number, number> = {};
  for (const { partition, nextOffset, counts } of log) {
    if (counts !== true) continue;
    if (nextOffset === null) delete found[partition];
    else found[partition] = nextOffset;
  }
  return found;
}

describe("offsets committed within transactions", () => {
  it("are told as the log says: the last that counts of each place, whoever committed first, also after a restart", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
        let shelf = new Shelf();
        const log: Entry[] = [];
        let nextOffset = 0;
        for (const each of steps) {
          if (each.kind === "commit") {
            nextOffset += 1;
            await shelf.commit(each.partition, nextOffset, each.producer);
            log.push({ partition: each.partition, producer: each.producer, nextOffset, counts: each.producer === null ? true : null });
          } else if (each.kind === "end") {
            shelf.end(each.producer, each.committed);
            for (const entry of log) if (entry.producer === each.producer) entry.counts ??= each.committed;
          } else if (each.kind === "delete") {
            const isKnown = log.some((entry) => entry.partition === each.partition && entry.counts !== false);
            await shelf.store.deleteOffsets(GROUP, [{ topic: "t", partition: each.partition }]);
            if (isKnown) log.push({ partition: each.partition, producer: null, nextOffset: null, counts: true });
          } else shelf = shelf.reopened();
          expect(shelf.told()).toEqual(lastThatCounts(log));
          expect(shelf.reopened().told()).toEqual(lastThatCounts(log));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("pend through the hour of expiry, and keep their group; what else is old goes", async () => {
    const shelf = new Shelf();
    await shelf.commit(0, 5);
    await shelf.commit(1, 6);
    await shelf.commit(0, 7, 1n);
    const gone = await shelf.store.expire(shelf.clock.now() + 8 * DAY_MS, () => null);
    expect(gone).toEqual({ offsetCount: 1, goneGroupIds: [] });
    expect(shelf.told()).toEqual({ 0: 5 });
    shelf.end(1n, true);
    expect(shelf.told()).toEqual({ 0: 7 });
    expect(shelf.reopened().told()).toEqual({ 0: 7 });
  });

  it("go with their group, and with their topic, before they have counted", async () => {
    for (const take of [(shelf: Shelf) => shelf.store.deleteGroup(GROUP), (shelf: Shelf) => shelf.store.forgetTopic("t")]) {
      const shelf = new Shelf();
      await shelf.commit(0, 7, 1n);
      expect(shelf.store.groupIds()).toEqual([GROUP]);
      await take(shelf);
      expect(shelf.store.has(GROUP)).toBe(false);
      shelf.end(1n, true);
      for (const each of [shelf, shelf.reopened()]) expect(each.told()).toEqual({});
    }
  });

  it("are told apart from those of another group, though both stand in one partition", async () => {
    const shelf = new Shelf();
    const other = Array.from({ length: 1000 }, (_, at) => `other-${at}`).find((groupId) => groupPartition(groupId) === PARTITION) as string;
    const offset = { topic: "t", partition: 3, nextOffset: 9, leaderEpoch: -1, metadata: "" };
    await shelf.store.commitInTransaction(other, [offset], { producerId: 1n, producerEpoch: 0 });
    expect([shelf.store.has(GROUP), shelf.store.has(other)]).toEqual([false, true]);
    expect([shelf.store.pendingOf(GROUP, null), shelf.store.pendingOf(other, null)]).toMatchObject([null, { topic: "t", partition: 3 }]);
    await shelf.store.deleteGroup(GROUP);
    shelf.end(1n, true);
    expect(shelf.store.fetch(other, null)).toMatchObject([{ topic: "t", partition: 3, nextOffset: 9 }]);
    expect(shelf.told()).toEqual({});
  });

  it("are refused as a whole, with nothing written, when one of them is not legal", async () => {
    const shelf = new Shelf();
    await expect(shelf.commit(0, -1, 1n)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(shelf.batches).toEqual([]);
  });
});

describe("offsets that pend", () => {
  const made = () => {
    const pending = new PendingOffsets<{ id: string; groupId: string; by: string }>();
    const add = (partition: number, producer: bigint, id: string, groupId = "g"): void =>
      pending.add(partition, producer, { id, groupId, by: `${producer} ${id}` });
    return { pending, add };
  };

  it("are taken out by the end of their transaction, in that partition, and by nothing else", () => {
    const { pending, add } = made();
    add(1, 7n, "a");
    add(1, 7n, "b");
    add(1, 8n, "c");
    add(2, 7n, "d");
    expect([pending.end(3, 7n, true), pending.end(1, 9n, true)]).toEqual([[], []]);
    expect(pending.end(1, 7n, false).map(({ by }) => by)).toEqual(["7 a", "7 b"]);
    expect(pending.end(1, 7n, true)).toEqual([]);
    expect(["a", "c", "d"].map((id) => [1, 2].map((partition) => pending.has(partition, id)))).toEqual([
      [false, false],
      [true, false],
      [false, true],
    ]);
  });

  it("for one place go with a commit of what was written after them, stay with one of before, and stay with any abort", () => {
    for (const [ended, committed, stays] of [
      [8n, true, false],
      [8n, false, true],
      [7n, true, true],
      [7n, false, true],
    ] as const) {
      const { pending, add } = made();
      add(1, 7n, "a");
      add(1, 8n, "a");
      pending.end(1, ended, committed);
      expect(pending.has(1, "a"), `${ended} ${committed}`).toBe(stays);
      expect(pending.end(1, ended === 7n ? 8n : 7n, true).length).toBe(stays ? 1 : 0);
    }
  });

  it("go when something is written outside of any transaction, whenever they were", () => {
    const { pending, add } = made();
    add(1, 7n, "a");
    add(1, 8n, "a");
    add(1, 8n, "b");
    pending.supersede(1, "a");
    pending.supersede(2, "b");
    expect([pending.has(1, "a"), pending.has(1, "b"), pending.end(1, 7n, true), pending.end(1, 8n, true).length]).toEqual([
      false,
      true,
      [],
      1,
    ]);
  });

  it("are told by group, one of each place, and are none of a partition that is read again", () => {
    const { pending, add } = made();
    add(1, 7n, "a");
    add(1, 8n, "a");
    add(1, 8n, "b");
    add(1, 8n, "c", "h");
    add(2, 7n, "d", "i");
    expect(pending.ofGroup(1, "g").map(({ id }) => id)).toEqual(["a", "b"]);
    expect([pending.ofGroup(2, "g"), pending.ofGroup(3, "g"), [...pending.groupIds()]]).toEqual([[], [], ["g", "h", "i"]]);
    pending.forget(1);
    expect([pending.has(1, "a"), pending.has(3, "a"), [...pending.groupIds()]]).toEqual([false, false, ["i"]]);
  });
});
