/** What the store of offsets answers and writes, field by field: nothing of a request that it does not keep, nothing that nobody asked for. */
import { describe, expect, it } from "vitest";
import type { ProducerIdentity } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { groupPartition } from "../../src/group/group-partition.ts";
import type { ExpiryFacts } from "../../src/group/offset-expiry.ts";
import { OffsetStore } from "../../src/group/offset-store.ts";
import { decodeGroupValue, encodeGroupValue } from "../../src/group/schemas/group-metadata-value.ts";
import { decodeOffsetValue, encodeOffsetValue } from "../../src/group/schemas/offset-commit-value.ts";
import { decodeKey, encodeGroupKey, encodeOffsetKey } from "../../src/group/schemas/record-key.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

interface Append {
  readonly partition: number;
  readonly keys: readonly unknown[];
  readonly values: readonly (Bytes | null)[];
  readonly durable: boolean;
  readonly transaction: ProducerIdentity | null;
}

class Shelf {
  readonly clock = new ManualClock(1_000_000);
  readonly appends: Append[] = [];
  gate: Promise<void> = Promise.resolve();
  readonly store: OffsetStore;

  constructor(offsetsRetentionMs?: number) {
    this.store = new OffsetStore({
      clock: this.clock,
      offsetsRetentionMs,
      appender: {
        append: async (partition, records, durable, transaction) => {
          const keys = records.map(({ key }) => decodeKey(key));
          this.appends.push({ partition, keys, values: records.map(({ value }) => value), durable, transaction });
          await this.gate;
        },
      },
    });
  }

  commit(groupId: string, topic: string, partition: number, nextOffset: number, metadata = ""): ReturnType<OffsetStore["commit"]> {
    return this.store.commit(groupId, [{ topic, partition, nextOffset, leaderEpoch: 3, metadata }], false);
  }

  /** What was appended since it was last asked. */
  taken(): Append[] {
    return this.appends.splice(0);
  }
}

const GROUP = { protocolType: "consumer", generation: 4, protocolName: null, leader: null, stateTimestamp: 7, members: [] };
const PRODUCER = { producerId: 7n, producerEpoch: 2 };
const key = (groupId: string, topic: string, partition: number) => ({ kind: "offset", groupId, topic, partition });
/** Another group that is kept in the same partition. */
const neighbourOf = (groupId: string): string =>
  Array.from({ length: 2000 }, (_, at) => `n${at}`).find((other) => groupPartition(other) === groupPartition(groupId)) as string;

describe("a commit", () => {
  it.each([
    [0, null],
    [2 ** 53 - 1, null],
    [-1, "found -1"],
    [2 ** 53, "found 9007199254740992"],
    [0.5, "found 0.5"],
    [Number.NaN, "found NaN"],
  ])("of the offset %d is taken, or refused with what was found", async (nextOffset, found) => {
    const shelf = new Shelf();
    const [answer] = await shelf.commit("g", "t", 3, nextOffset);
    expect(answer).toMatchObject({ topic: "t", partition: 3 });
    if (found === null) return expect(answer?.fault).toBeNull();
    expect(answer?.fault).toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT", message: expect.stringContaining(found) });
    expect(answer?.fault?.message).toContain('"g"');
    expect(shelf.appends).toEqual([]);
  });

  it("of 4096 characters of metadata is taken, and of one more refused", async () => {
    const shelf = new Shelf();
    expect((await shelf.commit("g", "t", 0, 1, "x".repeat(4096)))[0]?.fault).toBeNull();
    expect((await shelf.commit("g", "t", 0, 1, "x".repeat(4097)))[0]?.fault).toMatchObject({
      code: "OFFSET_METADATA_TOO_LARGE",
      message: expect.stringMatching(/"g".*4096 characters, found 4097/),
    });
  });

  it("is written with its own time and no epoch, into its group's partition, and told by what is kept alone", async () => {
    const shelf = new Shelf();
    await shelf.commit("g", "t", 3, 9, "note");
    const [append] = shelf.taken();
    expect(append).toMatchObject({ partition: groupPartition("g"), keys: [key("g", "t", 3)], durable: false, transaction: null });
    const stored = { nextOffset: 9, leaderEpoch: -1, metadata: "note", commitTimestamp: 1_000_000, expireTimestamp: -1 };
    expect(decodeOffsetValue(append?.values[0] as Bytes)).toEqual(stored);
    const told = { topic: "t", partition: 3, nextOffset: 9, leaderEpoch: -1, metadata: "note" };
    expect(shelf.store.fetch("g", null)).toStrictEqual([told]);
    expect(shelf.store.fetch("g", [{ topic: "t", partition: 3 }])).toStrictEqual([told]);
    expect(shelf.store.fetch("g", [])).toEqual([]);
  });

  it("that was loaded is told with the epoch that another broker gave it", () => {
    const shelf = new Shelf();
    const value = encodeOffsetValue({ nextOffset: 5, leaderEpoch: 12, metadata: "m", commitTimestamp: 1 });
    shelf.store.load([{ key: encodeOffsetKey("g", "t", 0), value }]);
    expect(shelf.store.fetch("g", [{ topic: "t", partition: 0 }])).toEqual([
      { topic: "t", partition: 0, nextOffset: 5, leaderEpoch: 12, metadata: "m" },
    ]);
    // A tombstone takes it out again, and a group's takes the group.
    shelf.store.load([{ key: encodeGroupKey("g"), value: encodeGroupValue(GROUP) }]);
    shelf.store.load([{ key: encodeOffsetKey("g", "t", 0), value: null }]);
    expect([shelf.store.fetch("g", null), shelf.store.has("g"), shelf.store.group("g")]).toEqual([[], true, GROUP]);
    shelf.store.load([{ key: encodeGroupKey("g"), value: null }]);
    expect([shelf.store.has("g"), shelf.store.group("g"), shelf.store.groupIds()]).toEqual([false, null, []]);
  });

  it("within a transaction is its producer's, never durable by itself, and refused whole by one that is not legal", async () => {
    const shelf = new Shelf();
    const offset = { topic: "t", partition: 0, nextOffset: 5, leaderEpoch: 3, metadata: "" };
    await shelf.store.commitInTransaction("g", [offset], PRODUCER);
    expect(shelf.taken()).toMatchObject([{ durable: false, transaction: PRODUCER, keys: [key("g", "t", 0)] }]);
    await expect(shelf.store.commitInTransaction("g", [offset, { ...offset, nextOffset: -1 }], PRODUCER)).rejects.toMatchObject({
      name: "UsageError",
      code: "INVALID_ARGUMENT",
    });
    await expect(shelf.store.commitInTransaction("", [offset], PRODUCER)).rejects.toMatchObject({
      name: "GroupError",
      code: "INVALID_GROUP_ID",
    });
    expect(shelf.appends).toEqual([]);
  });

  it("that is a batch of a log counts at once, unless it is of a transaction: then from a marker of that producer in that partition on", () => {
    const partition = groupPartition("g");
    const at = (nextOffset: number) => ({
      key: encodeOffsetKey("g", "t", 0),
      value: encodeOffsetValue({ nextOffset, leaderEpoch: -1, metadata: "", commitTimestamp: 0 }),
    });
    const shelf = new Shelf();
    const told = () => shelf.store.fetch("g", null).map(({ nextOffset }) => nextOffset);
    const load = (producerId: bigint, transactional: boolean, marker: "commit" | "abort" | null, ...records: ReturnType<typeof at>[]) =>
      shelf.store.loadBatch({ producerId, transactional, marker, records }, partition);
    load(7n, false, null, at(1));
    expect(told()).toEqual([1]);
    load(7n, true, null, at(2));
    load(8n, true, "commit");
    expect([told(), shelf.store.groupIds()]).toEqual([[1], ["g"]]);
    load(7n, true, "abort");
    load(7n, true, "commit");
    expect(told()).toEqual([1]);
    load(7n, true, null, at(3));
    shelf.store.transactionEnded(partition === 0 ? 1 : 0, 7n, true);
    expect(told()).toEqual([1]);
    load(7n, true, "commit");
    expect(told()).toEqual([3]);
    load(7n, true, null, at(4));
    shelf.store.forgetPending(partition);
    load(7n, true, "commit");
    expect(told()).toEqual([3]);
  });
});

describe("an offset that pends", () => {
  it("is told of its own group, topic and partition, and of the first of those that were asked for", async () => {
    const shelf = new Shelf();
    const offset = { nextOffset: 5, leaderEpoch: -1, metadata: "" };
    const at = (topic: string, partition: number) => ({ topic, partition });
    await shelf.store.commitInTransaction(
      "g",
      [at("t", 0), at("u", 2)].map((place) => ({ ...place, ...offset })),
      PRODUCER,
    );
    const asked = (groupId: string, ...places: readonly { topic: string; partition: number }[]) => shelf.store.pendingOf(groupId, places);
    expect(asked("g", at("t", 1), at("u", 2), at("t", 0))).toEqual(at("u", 2));
    expect([asked("g"), asked("g", at("t", 2), at("u", 0)), asked(neighbourOf("g"), at("t", 0))]).toEqual([null, null, null]);
    expect(shelf.store.pendingOf("g", null)).toMatchObject(at("t", 0));
    expect([shelf.store.pendingOf("other", null), shelf.store.has("other"), shelf.store.has("g")]).toEqual([null, false, true]);
  });
});

describe("a deletion", () => {
  it("writes tombstones of what there is, durably, and nothing where there is nothing", async () => {
    const shelf = new Shelf();
    await shelf.store.deleteGroup("g");
    await shelf.store.deleteOffsets("g", [{ topic: "t", partition: 0 }]);
    await shelf.store.forgetTopic("t");
    expect(shelf.appends).toEqual([]);
    await shelf.commit("g", "t", 0, 1);
    await shelf.commit("g", "t", 1, 2);
    await shelf.commit("h", "u", 1, 2);
    shelf.taken();
    await shelf.store.deleteOffsets("g", [
      { topic: "t", partition: 1 },
      { topic: "t", partition: 5 },
      { topic: "u", partition: 1 },
    ]);
    expect(shelf.taken()).toMatchObject([{ partition: groupPartition("g"), keys: [key("g", "t", 1)], values: [null], durable: true }]);
    await shelf.store.deleteGroup("g");
    expect(shelf.taken()).toMatchObject([{ keys: [key("g", "t", 0)], values: [null], durable: true }]);
    await shelf.store.saveGroup("g", GROUP);
    const [saved] = shelf.taken();
    expect([saved?.durable, saved?.keys, decodeGroupValue(saved?.values[0] as Bytes)]).toEqual([
      false,
      [{ kind: "group", groupId: "g" }],
      GROUP,
    ]);
    await shelf.store.deleteGroup("g");
    expect(shelf.taken()).toMatchObject([{ keys: [{ kind: "group", groupId: "g" }], values: [null], durable: true }]);
    expect([shelf.store.has("g"), shelf.store.has("h")]).toEqual([false, true]);
  });
});

describe("an offset that is set back to its log's end", () => {
  it("keeps its time and its words, and loses its epoch and the end of its own; at the end or before it, it stays", async () => {
    const shelf = new Shelf();
    const version1 = (nextOffset: number): Bytes => {
      const value = new Uint8Array(30);
      const view = new DataView(value.buffer);
      view.setInt16(0, 1);
      view.setBigInt64(2, BigInt(nextOffset));
      view.setInt16(10, 2);
      value.set([0x6d, 0x6d], 12);
      view.setBigInt64(14, 123n);
      view.setBigInt64(22, 456n);
      return value;
    };
    shelf.store.load(
      [8, 9, 10, 11].map((nextOffset, partition) => ({ key: encodeOffsetKey("g", "t", partition), value: version1(nextOffset) })),
    );
    const setBack = await shelf.store.clamp(({ partition }) => (partition === 3 ? null : 9));
    expect(setBack).toEqual([{ groupId: "g", topic: "t", partition: 2, nextOffset: 9, from: 10 }]);
    const [append, ...others] = shelf.taken();
    expect(others).toEqual([]);
    expect(append).toMatchObject({ durable: true, keys: [key("g", "t", 2)], transaction: null });
    const stored = { nextOffset: 9, leaderEpoch: -1, metadata: "mm", commitTimestamp: 123, expireTimestamp: -1 };
    expect(decodeOffsetValue(append?.values[0] as Bytes)).toEqual(stored);
    expect(shelf.store.fetch("g", null).map(({ nextOffset }) => nextOffset)).toEqual([8, 9, 9, 11]);
    expect(await shelf.store.clamp(() => null)).toEqual([]);
    expect(shelf.taken()).toEqual([]);
  });
});

describe("expiry", () => {
  const facts = (more: Partial<ExpiryFacts>) => (): ExpiryFacts => ({
    state: "Empty",
    protocolType: "consumer",
    stateTimestamp: 0,
    subscribedTopics: new Set(),
    ...more,
  });

  it.each([
    [undefined, 7 * 24 * 3600 * 1000],
    [100, 100],
    [0, 0],
  ])("after %s ms of retention lets go at %d ms, in writing that need not be durable", async (retentionMs, goesAfterMs) => {
    const shelf = new Shelf(retentionMs);
    await shelf.commit("g", "t", 0, 1);
    shelf.taken();
    if (goesAfterMs > 0)
      expect(await shelf.store.expire(1_000_000 + goesAfterMs - 1, () => null)).toEqual({ offsetCount: 0, goneGroupIds: [] });
    expect(shelf.appends).toEqual([]);
    expect(await shelf.store.expire(1_000_000 + goesAfterMs, () => null)).toEqual({ offsetCount: 1, goneGroupIds: ["g"] });
    expect(shelf.taken()).toMatchObject([{ durable: false, keys: [key("g", "t", 0)], values: [null] }]);
  });

  it("of a group that is kept and has nothing left is the end of its record too, and only where it is empty", async () => {
    for (const [state, isGone] of [
      ["Empty", true],
      ["Stable", false],
      ["PreparingRebalance", false],
    ] as const) {
      const shelf = new Shelf(100);
      await shelf.store.saveGroup("g", GROUP);
      shelf.taken();
      expect(await shelf.store.expire(5_000_000, facts({ state }))).toEqual({ offsetCount: 0, goneGroupIds: isGone ? ["g"] : [] });
      expect(shelf.taken().map(({ keys, values }) => [keys, values])).toEqual(isGone ? [[[{ kind: "group", groupId: "g" }], [null]]] : []);
      expect(shelf.store.has("g")).toBe(!isGone);
    }
  });

  it("of everything in a stable group leaves the group, whose members are there", async () => {
    const shelf = new Shelf(100);
    await shelf.store.saveGroup("g", GROUP);
    await shelf.commit("g", "t", 0, 1);
    expect(await shelf.store.expire(5_000_000, facts({ state: "Stable" }))).toEqual({ offsetCount: 1, goneGroupIds: [] });
    expect(shelf.store.group("g")).toEqual(GROUP);
  });

  it("is counted over all groups, each by facts of its own", async () => {
    const shelf = new Shelf(100);
    for (const groupId of ["g", "h", "k"]) for (const partition of [0, 1]) await shelf.commit(groupId, "t", partition, 1);
    const asked: string[] = [];
    const gone = await shelf.store.expire(5_000_000, (groupId) => {
      asked.push(groupId);
      return groupId === "h" ? facts({ state: "Stable", subscribedTopics: new Set(["t"]) })() : null;
    });
    expect([asked, gone]).toEqual([["g", "h", "k"], { offsetCount: 4, goneGroupIds: ["g", "k"] }]);
  });

  it("lets go of no group while anything is on its way into its partition: it may be this group's", async () => {
    const shelf = new Shelf(100);
    await shelf.commit("g", "t", 0, 1);
    let open = (): void => {};
    shelf.gate = new Promise((resolve) => {
      open = resolve;
    });
    const busy = shelf.commit(neighbourOf("g"), "t", 0, 1);
    await settled();
    const expiry = shelf.store.expire(5_000_000, () => null);
    open();
    await busy;
    expect(await expiry).toEqual({ offsetCount: 1, goneGroupIds: [] });
    // The next hour finds it gone: there is nothing of it to be found.
    expect(shelf.store.has("g")).toBe(false);
  });

  it("takes an offset that is old, not one of the same group that another commit is about to replace", async () => {
    const shelf = new Shelf(100);
    await shelf.commit("g", "t", 0, 1);
    await shelf.commit("g", "t", 1, 1);
    let open = (): void => {};
    shelf.gate = new Promise((resolve) => {
      open = resolve;
    });
    const again = shelf.commit("g", "t", 1, 2);
    await settled();
    const expiry = shelf.store.expire(5_000_000, () => null);
    open();
    expect(await expiry).toEqual({ offsetCount: 1, goneGroupIds: [] });
    await again;
    expect(shelf.store.fetch("g", null).map(({ partition, nextOffset }) => [partition, nextOffset])).toEqual([[1, 2]]);
  });

  it("has nothing on its way any more once the store has settled", async () => {
    const shelf = new Shelf(100);
    let open = (): void => {};
    shelf.gate = new Promise((resolve) => {
      open = resolve;
    });
    let isSettled = false;
    const committed = shelf.commit("g", "t", 0, 1);
    const settling = shelf.store.settled().then(() => {
      isSettled = true;
    });
    await settled();
    expect(isSettled).toBe(false);
    open();
    await Promise.all([committed, settling]);
    expect(shelf.store.has("g")).toBe(true);
  });
});

describe("a record of an offset or of a group", () => {
  it.each([
    [
      "an offset below zero",
      () => decodeOffsetValue(Uint8Array.from(Buffer.from(`0003${"ff".repeat(8)}000000000000${"00".repeat(8)}`, "hex"))),
      "INVALID_RECORD",
    ],
    ["an offset of version -1", () => decodeOffsetValue(Uint8Array.of(0xff, 0xff)), "UNSUPPORTED_VERSION"],
    ["an offset of version 5", () => decodeOffsetValue(Uint8Array.of(0, 5)), "UNSUPPORTED_VERSION"],
    ["a group of version -1", () => decodeGroupValue(Uint8Array.of(0xff, 0xff)), "UNSUPPORTED_VERSION"],
    ["a group of version 5", () => decodeGroupValue(Uint8Array.of(0, 5)), "UNSUPPORTED_VERSION"],
    ["an offset's key that ends too early", () => decodeKey(Uint8Array.of(0, 1, 0, 1, 0x67)), "INVALID_RECORD"],
    ["a group's key without a name", () => decodeKey(Uint8Array.of(0, 2, 0xff, 0xff)), "INVALID_RECORD"],
  ] as const)("is none where it is %s", (_what, decode, code) => {
    expect(decode).toThrow(expect.objectContaining({ code }));
  });
});
