/** Groups through the face and the real engine: members come and go, commits are fenced, offsets stand, are looked at, set, clamped and expire. */
import { describe, expect, it } from "vitest";
import type { Consumer, Odradek, TopicPartition } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { crashStorage } from "../../src/testing/index.ts";
import { heard, MovedClock, openLog, PLACES, sendAll } from "./support.ts";

const at = (partition: number, topic = "orders"): TopicPartition => ({ topic, partition });
const partitionsOf = (consumer: Consumer): number[] =>
  consumer
    .assignment()
    .map(({ partition }) => partition)
    .sort();

async function ordersLog(log: Odradek, partitions: number, perPartition: number): Promise<void> {
  await log.createTopic("orders", { partitions });
  for (let partition = 0; partition < partitions; partition += 1) {
    if (perPartition > 0)
      await sendAll(
        log,
        "orders",
        Array.from({ length: perPartition }, (_, index) => `${partition}:${index}`),
        partition,
      );
  }
}

/** Polls every consumer in turn until `done`, or fails loudly. */
async function pollUntil(consumers: readonly Consumer[], done: () => boolean, seen: unknown[] = []): Promise<unknown[]> {
  for (let round = 0; round < 400; round += 1) {
    if (done()) return seen;
    for (const consumer of consumers) for (const { value } of await consumer.poll({ timeoutMs: 5 })) seen.push(value);
  }
  throw new Error(`the group did not get there: ${consumers.map((consumer) => JSON.stringify(partitionsOf(consumer))).join(" ")}`);
}

describe.each(PLACES)("a group in $place", ({ make }) => {
  it("of three members subscribed one after the other, none iterating, reads everything once when each then reads", async () => {
    const log = await openLog(make());
    await ordersLog(log, 6, 10);
    const members = [1, 2, 3].map(() => log.consumer({ groupId: "billing" }));
    for (const member of members) await member.subscribe(["orders"]);
    const seen: unknown[] = [];
    await Promise.all(
      members.map(async (member) => {
        for await (const { value } of member.records({ until: "end" })) seen.push(value);
      }),
    );
    expect([...new Set(seen)]).toHaveLength(60);
    expect(seen).toHaveLength(60);
  });

  it("is spread anew as members come and go, and goes on where it was", async () => {
    const events = heard();
    const log = await openLog(make(), { onEvent: events.onEvent });
    await ordersLog(log, 6, 4);
    const first = log.consumer({ groupId: "billing" });
    await first.subscribe(["orders"]);
    const seen = await pollUntil([first], () => partitionsOf(first).length === 6);
    const second = log.consumer({ groupId: "billing" });
    await second.subscribe(["orders"]);
    await pollUntil([first, second], () => partitionsOf(first).length === 3 && partitionsOf(second).length === 3, seen);
    const third = log.consumer({ groupId: "billing" });
    await third.subscribe(["orders"]);
    await pollUntil([first, second, third], () => [first, second, third].every((member) => partitionsOf(member).length === 2), seen);
    expect((await log.describeGroup("billing")).members).toHaveLength(3);
    expect((await log.describeGroup("billing")).members.flatMap(({ assignment }) => assignment)).toHaveLength(6);
    // What poll gave last is in hand: without this it would be delivered again, to another member.
    await second.commit();
    await second.close();
    await pollUntil([first, third], () => partitionsOf(first).length === 3 && partitionsOf(third).length === 3, seen);
    for (let partition = 0; partition < 6; partition += 1) await sendAll(log, "orders", [`${partition}:late`], partition);
    await pollUntil([first, third], () => new Set(seen).size === 30, seen);
    // Nothing in hand was lost, and nothing was delivered twice: every rebalance found the members between two records.
    expect(seen).toHaveLength(30);
    expect(events.of("group.rebalanced").length).toBeGreaterThanOrEqual(4);
    await first.close();
    await third.close();
    expect(await log.describeGroup("billing")).toMatchObject({ state: "Empty", members: [] });
  });

  it("tells its listeners what is taken and given, in that order", async () => {
    const log = await openLog(make());
    await ordersLog(log, 2, 0);
    const told: string[] = [];
    const listener = {
      onPartitionsAssigned: (partitions: readonly TopicPartition[]) =>
        void told.push(`+${partitions.map(({ partition }) => partition).join()}`),
      onPartitionsRevoked: (partitions: readonly TopicPartition[]) =>
        void told.push(`-${partitions.map(({ partition }) => partition).join()}`),
    };
    const first = log.consumer({ groupId: "g", partitionAssignmentStrategy: "range" });
    await first.subscribe(["orders"], listener);
    await pollUntil([first], () => partitionsOf(first).length === 2);
    const second = log.consumer({ groupId: "g", partitionAssignmentStrategy: "range" });
    await second.subscribe(["orders"]);
    await pollUntil([first, second], () => partitionsOf(first).length === 1 && partitionsOf(second).length === 1);
    expect(told.slice(0, 2)).toEqual(["+0,1", "-0,1"]);
    expect(told[2]).toMatch(/^\+[01]$/);
  });

  it("keeps its offsets when the log is opened again, and describes them with their lag", async () => {
    const storage = make();
    const log = await openLog(storage);
    await ordersLog(log, 2, 5);
    const consumer = log.consumer({ groupId: "billing", enableAutoCommit: false });
    await consumer.assign([at(0), at(1)]);
    await consumer.commit([{ ...at(0), nextOffset: 3 }], { durable: true });
    await consumer.commit([{ ...at(1), nextOffset: 5 }]);
    await log.close();
    const again = await openLog(storage);
    expect(await again.listGroups()).toEqual(["billing"]);
    expect(await again.describeGroup("billing")).toEqual({
      groupId: "billing",
      state: "Empty",
      generation: 0,
      members: [],
      offsets: [
        { ...at(0), nextOffset: 3, lag: 2 },
        { ...at(1), nextOffset: 5, lag: 0 },
      ],
    });
    const reader = again.consumer({ groupId: "billing" });
    await reader.subscribe(["orders"]);
    const values: unknown[] = [];
    for await (const { value } of reader.records({ until: "end" })) values.push(value);
    expect(values).toEqual(["0:3", "0:4"]);
  });

  it("is reset to the start, the end, a time or offsets, durably, while nobody is in it", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders", { partitions: 2 });
    const producer = log.producer();
    await producer.sendBatch([10, 20, 30].map((timestamp) => ({ topic: "orders", partition: 0, value: timestamp, timestamp })));
    await log.deleteRecords(at(0), 1);
    const offsetsNow = async (): Promise<unknown> => (await log.describeGroup("g")).offsets.map(({ nextOffset }) => nextOffset);
    expect(await log.resetOffsets("g", "orders", "earliest")).toEqual([
      { ...at(0), nextOffset: 1 },
      { ...at(1), nextOffset: 0 },
    ]);
    expect(await log.resetOffsets("g", "orders", "latest")).toEqual([
      { ...at(0), nextOffset: 3 },
      { ...at(1), nextOffset: 0 },
    ]);
    expect(await log.resetOffsets("g", "orders", { timestamp: 21 })).toEqual([
      { ...at(0), nextOffset: 2 },
      { ...at(1), nextOffset: 0 },
    ]);
    expect(await log.resetOffsets("g", "orders", { timestamp: 31 })).toEqual([
      { ...at(0), nextOffset: 3 },
      { ...at(1), nextOffset: 0 },
    ]);
    expect(await log.resetOffsets("g", "orders", [{ ...at(0), nextOffset: 1 }])).toEqual([{ ...at(0), nextOffset: 1 }]);
    expect(await offsetsNow()).toEqual([1, 0]);
    const member = log.consumer({ groupId: "g" });
    await member.subscribe(["orders"]);
    await pollUntil([member], () => partitionsOf(member).length === 2);
    for (const change of [() => log.resetOffsets("g", "orders", "latest"), () => log.deleteGroup("g")]) {
      const refused: Promise<unknown> = change();
      await expect(refused).rejects.toMatchObject({ name: "GroupError", code: "NON_EMPTY_GROUP" });
      await expect(refused).rejects.toThrow(/^group "g" is Stable and has 1 member\b.*; its members must leave first$/);
    }
    await member.close();
    await log.deleteGroup("g");
    await expect(log.deleteGroup("g")).rejects.toMatchObject({ name: "GroupError", code: "GROUP_ID_NOT_FOUND" });
    await log.close();
    expect(await (await openLog(storage)).listGroups()).toEqual([]);
  });

  it("fences the commit of a member that took too long", async () => {
    const log = await openLog(make());
    await ordersLog(log, 2, 5);
    const slow = log.consumer({ groupId: "g", maxPollIntervalMs: 60, enableAutoCommit: false });
    await slow.subscribe(["orders"]);
    const records = slow.records();
    const { value: inHand } = await records.next();
    const quick = log.consumer({ groupId: "g", enableAutoCommit: false });
    await quick.subscribe(["orders"]);
    await pollUntil([quick], () => partitionsOf(quick).length === 2);
    await expect(slow.commit(inHand)).rejects.toMatchObject({ name: "GroupError" });
    await expect(slow.commit([{ ...at(0), nextOffset: 5 }])).rejects.toMatchObject({ name: "GroupError" });
    expect(await quick.committed(at(0))).toBeNull();
    await quick.close();
    await slow.close().catch(() => {});
  });

  it("does not let an outsider commit while it has members", async () => {
    const log = await openLog(make());
    await ordersLog(log, 1, 5);
    const member = log.consumer({ groupId: "g" });
    await member.subscribe(["orders"]);
    await pollUntil([member], () => partitionsOf(member).length === 1);
    const outsider = log.consumer({ groupId: "g", enableAutoCommit: false });
    await outsider.assign([at(0)]);
    await expect(outsider.commit([{ ...at(0), nextOffset: 4 }])).rejects.toMatchObject({ name: "GroupError" });
  });
});

describe("C5: after every open no committed offset exceeds its partition's log end", () => {
  it("one that does is set back before anything is appended, and reported", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    // "os": the records may be lost with the power, the durable commit is not.
    await log.createTopic("orders", { durability: "os" });
    await log.createTopic("audit");
    await sendAll(log, "orders", ["kept"]);
    await sendAll(log, "audit", ["x", "y"]);
    await log.close();
    const second = await openLog(disk);
    await sendAll(second, "orders", ["lost", "lost"]);
    const consumer = second.consumer({ groupId: "g", enableAutoCommit: false });
    await consumer.assign([at(0)]);
    await consumer.commit(
      [
        { ...at(0), nextOffset: 3 },
        { ...at(0, "audit"), nextOffset: 2 },
      ],
      { durable: true },
    );
    const told = heard();
    const disk2 = disk.crash(undefined, { survival: "nothing" });
    const after = await openLog(disk2, { onEvent: told.onEvent });
    const end = (await after.describeTopic("orders")).partitions[0]?.logEndOffset as number;
    expect(end).toBe(1);
    expect(told.of("offset.clamped")).toMatchObject([{ partition: at(0), groupId: "g", nextOffset: 1, from: 3 }]);
    const { offsets } = await after.describeGroup("g");
    expect(offsets).toHaveLength(2);
    expect(offsets).toContainEqual({ ...at(0, "audit"), nextOffset: 2, lag: 0 });
    expect(offsets).toContainEqual({ ...at(0), nextOffset: 1, lag: 0 });
    // Durably: the next open has nothing left to set back, though nobody has committed since.
    const told3 = heard();
    const third = await openLog(disk2.crash(), { onEvent: told3.onEvent });
    expect(told3.of("offset.clamped")).toEqual([]);
    await sendAll(third, "orders", ["new"]);
    const reader = third.consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    const values: unknown[] = [];
    for await (const { value } of reader.records({ until: "end" })) values.push(value);
    expect(values).toEqual(["new"]);
  });
});

describe("a commit", () => {
  it("is durable at once with { durable: true }, and otherwise within offsetsFlushMs", async () => {
    for (const [durable, offsetsFlushMs, waitMs, kept] of [
      [true, 3_600_000, 0, true],
      [false, 3_600_000, 0, false],
      [false, 20, 500, true],
    ] as const) {
      const disk = crashStorage();
      const log = await openLog(disk, { offsetsFlushMs });
      await log.createTopic("orders");
      await sendAll(log, "orders", [1, 2]);
      const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
      await consumer.assign([at(0)]);
      await consumer.commit([{ ...at(0), nextOffset: 1 }], { durable: true });
      await consumer.commit([{ ...at(0), nextOffset: 2 }], { durable });
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const after = await openLog(disk.crash(undefined, { survival: "nothing" }));
      expect((await after.describeGroup("g")).offsets[0]?.nextOffset, `durable ${durable}, ${waitMs} ms`).toBe(kept ? 2 : 1);
      await after.close();
    }
  });

  it("to a partition that is not there is refused, and the others of the call are kept", async () => {
    const log = await openLog(memory());
    await ordersLog(log, 1, 2);
    const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
    await consumer.assign([at(0)]);
    await expect(
      consumer.commit([
        { ...at(0), nextOffset: 1 },
        { ...at(7), nextOffset: 1 },
      ]),
    ).rejects.toMatchObject({
      name: "UsageError",
      code: "UNKNOWN_TOPIC_OR_PARTITION",
    });
    expect(await consumer.committed(at(0))).toBe(1);
  });

  it("expires as Kafka's do: seven days after the group was last there, by maintain()", async () => {
    const clock = new MovedClock();
    const storage = memory();
    const log = await openLog(storage, { clock });
    await ordersLog(log, 1, 2);
    const idle = log.consumer({ groupId: "idle", enableAutoCommit: false });
    await idle.assign([at(0)]);
    await idle.commit([{ ...at(0), nextOffset: 1 }]);
    await idle.close();
    const busy = log.consumer({ groupId: "busy" });
    await busy.subscribe(["orders"]);
    await pollUntil([busy], () => partitionsOf(busy).length === 1);
    await busy.commit([{ ...at(0), nextOffset: 1 }]);
    await log.alterTopic("orders", { retentionMs: Number.POSITIVE_INFINITY });
    clock.shiftMs += 6.9 * 86_400_000;
    await log.maintain();
    expect(await log.listGroups()).toEqual(["busy", "idle"]);
    clock.shiftMs += 0.2 * 86_400_000;
    await log.maintain();
    expect(await log.listGroups()).toEqual(["busy"]);
    await log.close();
    expect(await (await openLog(storage, { clock })).listGroups()).toEqual(["busy"]);
  });
});

describe("every waiting call takes a signal", () => {
  it("and rejects with its reason, at once, and the consumer goes on", async () => {
    const log = await openLog(memory());
    await ordersLog(log, 1, 0);
    const reason = new Error("enough");
    const consumer = log.consumer();
    await consumer.assign([at(0)]);
    for (const call of [
      (signal: AbortSignal) => consumer.poll({ timeoutMs: 60_000, signal }),
      (signal: AbortSignal) => consumer.records({ signal }).next(),
      (signal: AbortSignal) => consumer.batches({ signal }).next(),
    ]) {
      const controller = new AbortController();
      const waiting = call(controller.signal);
      setTimeout(() => controller.abort(reason), 10);
      await expect(waiting, String(call)).rejects.toBe(reason);
      await expect(call(AbortSignal.abort(reason)), String(call)).rejects.toBe(reason);
    }
    await sendAll(log, "orders", ["on"]);
    expect((await consumer.poll())[0]?.value).toBe("on");
    await expect(log.maintain({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(openLog(memory(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it("the consumer's own is the polite stop: the record in hand is finished, the loop ends, the consumer closes", async () => {
    const log = await openLog(memory());
    await ordersLog(log, 1, 5);
    const controller = new AbortController();
    const consumer = log.consumer({ groupId: "g", signal: controller.signal });
    await consumer.subscribe(["orders"]);
    const seen: unknown[] = [];
    for await (const { value } of consumer) {
      seen.push(value);
      if (seen.length === 2) controller.abort();
    }
    expect(seen).toHaveLength(2);
    await expect(consumer.poll()).rejects.toMatchObject({ code: "CONSUMER_CLOSED" });
    expect((await log.describeGroup("g")).offsets[0]?.nextOffset).toBe(2);
  });
});
