/** Members of a group, several in one process: who reads what, when a rebalance waits, and who may commit. */
import { describe, expect, it } from "vitest";
import type { Consumer } from "../../src/api/consumer.ts";
import { GroupError } from "../../src/base/errors.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { bed, orders, valuesToEnd } from "./bed.ts";

const partition = (number: number) => ({ topic: "orders", partition: number });

async function untilAssigned(consumers: readonly Consumer<unknown, unknown>[], counts: readonly number[]): Promise<void> {
  await expect.poll(() => consumers.map((each) => each.assignment().length)).toEqual(counts);
}

describe("a group", () => {
  it("gives one member everything, and goes on where the last one left off", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 3);
    broker.appendSingles(partition(1), 3, 10);
    const first = consumer({ groupId: "g" });
    await first.subscribe(["orders"]);
    expect((await valuesToEnd(first)).sort()).toEqual(["0", "1", "10", "11", "12", "2"]);
    await first.close();
    broker.appendSingles(partition(0), 1, 3);
    const second = consumer({ groupId: "g" });
    await second.subscribe(["orders"]);
    expect(await valuesToEnd(second)).toEqual(["3"]);
    expect((await broker.describeGroup("g")).members.length).toBe(1);
  });

  it.each(["range", "roundrobin", "sticky", "cooperative-sticky"] as const)(
    "hands its partitions to three members subscribed one after the other, none of them iterating (%s)",
    async (partitionAssignmentStrategy) => {
      const { broker, consumer } = await bed(3);
      for (const number of [0, 1, 2]) broker.appendSingles(partition(number), 2, number * 10);
      const members = [1, 2, 3].map(() => consumer({ groupId: "g", partitionAssignmentStrategy }));
      for (const member of members) await member.subscribe(["orders"]);
      const read: (string | null)[][] = [];
      for (const member of members) read.push(await valuesToEnd(member));
      expect(read.map((values) => values.length)).toEqual([2, 2, 2]);
      expect(read.flat().sort()).toEqual(["0", "1", "10", "11", "20", "21"]);
    },
  );

  it("ends at once, until the end, for a member that was given nothing", async () => {
    const { broker, consumer } = await bed(1);
    broker.appendSingles(orders, 2);
    const members = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    for (const member of members) await member.subscribe(["orders"]);
    const counts = [];
    for (const member of members) counts.push((await valuesToEnd(member)).length);
    expect(counts.sort()).toEqual([0, 2]);
  });

  it("is rebalanced at once when its members have nothing in hand", async () => {
    const { consumer } = await bed(4);
    const [first, second] = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    await first.subscribe(["orders"]);
    await untilAssigned([first], [4]);
    await second.subscribe(["orders"]);
    await untilAssigned([first, second], [2, 2]);
    await second.close();
    await untilAssigned([first], [4]);
  });

  // Each that came began a rebalance of its own, in which all before it took part: a thousand took minutes.
  it("is rebalanced a few times, not once for each, when many subscribe one after another", async () => {
    const { broker, consumer } = await bed(30);
    const members = Array.from({ length: 30 }, () => consumer({ groupId: "g" }));
    for (const member of members) await member.subscribe(["orders"]);
    await untilAssigned(members, new Array(30).fill(1));
    expect((await broker.describeGroup("g")).generation).toBeLessThan(8);
  });

  it("waits with a rebalance until the record in hand is moved past, and commits it then", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 3);
    broker.appendSingles(partition(1), 3, 10);
    const [first, second] = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    await first.subscribe(["orders"]);
    const iterator = first.records();
    const record = (await iterator.next()).value;
    await second.subscribe(["orders"]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(second.assignment()).toEqual([]);
    expect(first.assignment().length).toBe(2);
    await first.commit(record);
    const next = iterator.next();
    await untilAssigned([first, second], [1, 1]);
    expect(broker.committedOf("g", record)).toBe(1);
    await next;
    const rest = await valuesToEnd(second);
    expect(rest).not.toContain(record.value);
  });

  it("fences a member that kept a record in hand beyond maxPollIntervalMs: its commit is a GroupError", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(2, clock);
    broker.appendSingles(partition(0), 3);
    broker.appendSingles(partition(1), 3, 10);
    const lost: number[] = [];
    const first = consumer({ groupId: "g", maxPollIntervalMs: 5000, enableAutoCommit: false });
    await first.subscribe(["orders"], { onPartitionsLost: (partitions) => void lost.push(partitions.length) });
    const iterator = first.records();
    const record = (await iterator.next()).value;
    const second = consumer({ groupId: "g", maxPollIntervalMs: 5000 });
    await second.subscribe(["orders"]);
    await clock.advance(4000);
    await first.commit([{ ...partition(0), nextOffset: 0 }]);
    await clock.advance(2000);
    expect(second.assignment().length).toBe(2);
    await expect(first.commit(record)).rejects.toBeInstanceOf(GroupError);
    await expect(first.commit(record)).rejects.toMatchObject({ name: "GroupError" });
    // It joins anew as soon as it asks for more, and reads on.
    const next = iterator.next();
    for (let turns = 0; turns < 20; turns++) await settled();
    expect(lost).toEqual([2]);
    expect(first.assignment().length).toBe(1);
    expect((await next).done).toBe(false);
    // What it read as another member it may commit only if the partition is its own again.
    const isMine = first.assignment()[0]?.partition === record.partition;
    await expect(first.commit(record).catch((error: unknown) => error instanceof GroupError)).resolves.toBe(isMine ? undefined : true);
  });

  it("commits at revocation, durably, what was moved past and nothing more", async () => {
    const { broker, consumer } = await bed(1);
    broker.appendSingles(orders, 5);
    const first = consumer({ groupId: "a-first" });
    await first.subscribe(["orders"]);
    for await (const { value } of first) if (value === "2") break;
    await first.close();
    expect(broker.committedOf("a-first", orders)).toBe(2);
    expect(broker.commits.at(-1)?.durable).toBe(true);
  });

  it("tells its listener what comes and what goes", async () => {
    const { consumer } = await bed(2);
    const told: string[] = [];
    const listener = {
      onPartitionsAssigned: (partitions: readonly unknown[]) => void told.push(`assigned ${partitions.length}`),
      onPartitionsRevoked: (partitions: readonly unknown[]) => void told.push(`revoked ${partitions.length}`),
    };
    const [first, second] = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    await first.subscribe(["orders"], listener);
    await untilAssigned([first], [2]);
    await second.subscribe(["orders"]);
    await untilAssigned([first, second], [1, 1]);
    await first.close();
    expect(told).toEqual(["assigned 2", "revoked 2", "assigned 1", "revoked 1"]);
  });

  it("tells a cooperative listener only what moves, and goes on reading what stays", async () => {
    const { consumer } = await bed(2);
    const told: string[] = [];
    const options = { groupId: "g", partitionAssignmentStrategy: "cooperative-sticky" } as const;
    const [first, second] = [consumer(options), consumer(options)];
    await first.subscribe(["orders"], {
      onPartitionsAssigned: (partitions) => void told.push(`assigned ${partitions.length}`),
      onPartitionsRevoked: (partitions) => void told.push(`revoked ${partitions.length}`),
    });
    await untilAssigned([first], [2]);
    await second.subscribe(["orders"]);
    await untilAssigned([first, second], [1, 1]);
    expect(told.filter((each) => each !== "assigned 0")).toEqual(["assigned 2", "revoked 1"]);
  });

  it("lets a listener commit what is taken away, and reports one that throws", async () => {
    const { broker, consumer, events } = await bed(1);
    broker.appendSingles(orders, 4);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.subscribe(["orders"], {
      onPartitionsRevoked: async () => {
        await reader.commit();
        throw new Error("no");
      },
    });
    expect((await valuesToEnd(reader)).length).toBe(4);
    await reader.close();
    expect(broker.committedOf("g", orders)).toBe(4);
    expect(events).toMatchObject([{ type: "listener.failed", listener: "onPartitionsRevoked" }]);
  });

  it("lets a listener seek in what it was given", async () => {
    const { broker, consumer } = await bed(1);
    broker.appendSingles(orders, 5);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"], { onPartitionsAssigned: (partitions) => partitions.forEach((each) => void reader.seek(each, 3)) });
    expect(await valuesToEnd(reader)).toEqual(["3", "4"]);
  });

  it("follows a pattern to topics that come later, never to internal ones", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.addTopic("__consumer_offsets", 1);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(/ord|offsets/g);
    for (let turns = 0; turns < 20; turns++) await settled();
    expect(reader.assignment()).toEqual([orders]);
    broker.addTopic("orders-eu", 1);
    broker.addTopic("people", 1);
    await clock.advance(2500);
    expect(reader.assignment()).toEqual([orders, { topic: "orders-eu", partition: 0 }]);
    broker.removeTopic("orders");
    await clock.advance(2500);
    expect(reader.assignment()).toEqual([{ topic: "orders-eu", partition: 0 }]);
  });

  it("notices partitions that are added to a topic", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    const members = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    for (const member of members) await member.subscribe(["orders"]);
    broker.addTopic("orders", 4);
    await clock.advance(2500);
    expect(members.map((each) => each.assignment().length)).toEqual([2, 2]);
  });

  it("takes another subscription in place of the first", async () => {
    const { broker, consumer } = await bed(1);
    broker.addTopic("people", 1);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    await untilAssigned([reader], [1]);
    await reader.subscribe(["people", "orders"]);
    await untilAssigned([reader], [2]);
    await reader.subscribe([]);
    await untilAssigned([reader], [0]);
  });

  it("refuses an unknown topic, naming the nearest, and what has no common assignor", async () => {
    const { consumer } = await bed(1);
    const reader = consumer({ groupId: "g", partitionAssignmentStrategy: "range" });
    await expect(reader.subscribe(["order"])).rejects.toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(reader.subscribe(["order"])).rejects.toThrow(/did you mean "orders"/);
    await reader.subscribe(["orders"]);
    const other = consumer({ groupId: "g", partitionAssignmentStrategy: "sticky" });
    await expect(other.subscribe(["orders"])).rejects.toMatchObject({ code: "INCONSISTENT_GROUP_PROTOCOL" });
    await expect(reader.subscribe("orders" as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.subscribe(["orders"], { onRevoked: () => {} } as never)).rejects.toMatchObject({ code: "UNKNOWN_CONFIG" });
    await expect(reader.assign([orders])).rejects.toMatchObject({ name: "UsageError" });
  });

  it("lets a member leave before its first join is through", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 3);
    const first = consumer({ groupId: "g" });
    await first.subscribe(["orders"]);
    const iterator = first.records();
    await iterator.next();
    const second = consumer({ groupId: "g" });
    await second.subscribe(["orders"]);
    expect((await broker.describeGroup("g")).members.length).toBe(2);
    await second.close();
    expect((await broker.describeGroup("g")).members.length).toBe(1);
    expect((await iterator.next()).done).toBe(false);
  });

  it("outlives the deletion of a topic that a member reads", async () => {
    const { broker, consumer } = await bed(1);
    broker.addTopic("people", 1);
    broker.appendSingles(orders, 2);
    broker.appendSingles({ topic: "people", partition: 0 }, 3, 10);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(/./);
    const iterator = reader.records();
    await iterator.next();
    broker.removeTopic("orders");
    const values: (string | null)[] = [];
    while (values.length < 3) {
      const { value } = await iterator.next();
      if (value.topic === "people") values.push(value.value);
    }
    expect(values).toEqual(["10", "11", "12"]);
    await iterator.return?.();
    await untilAssigned([reader], [1]);
    expect(await valuesToEnd(reader)).toEqual(["12"]);
  });

  it("lets a listener close its consumer", async () => {
    const { consumer, closed } = await bed(1);
    const [first, second] = [consumer({ groupId: "g" }), consumer({ groupId: "g" })];
    await first.subscribe(["orders"], { onPartitionsRevoked: () => first.close() });
    await untilAssigned([first], [1]);
    await second.subscribe(["orders"]);
    await expect.poll(() => closed.length).toBe(1);
    await untilAssigned([second], [1]);
  });

  it("needs a groupId", async () => {
    const { consumer } = await bed(1);
    await expect(consumer().subscribe(["orders"])).rejects.toMatchObject({ name: "UsageError", code: "NO_GROUP" });
  });
});
