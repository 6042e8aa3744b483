/** What a member says to its coordinator, how soon it tries again, and what it makes of what it is told. */
import { describe, expect, it } from "vitest";
import type { JoinGroupRequest } from "../../src/api/broker.ts";
import { GroupError } from "../../src/base/errors.ts";
import { Assignment } from "../../src/consumer/assignment.ts";
import { decodeSubscription } from "../../src/consumer/assignors/index.ts";
import type { ConsumerBroker } from "../../src/consumer/consumer-broker.ts";
import { Hand } from "../../src/consumer/hand.ts";
import { Rebalancer, type RebalancerParts } from "../../src/consumer/rebalancer.ts";
import { Subscription } from "../../src/consumer/subscription.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { bed, orders } from "./bed.ts";
import type { FakeBroker } from "./fake-broker.ts";

const turns = async (): Promise<void> => {
  for (let count = 0; count < 20; count += 1) await settled();
};

/** Notes what is asked of the group from now on. */
function heard(broker: FakeBroker) {
  const joins: JoinGroupRequest[] = [];
  const waits: number[] = [];
  const { joinGroup, heartbeat } = broker;
  broker.joinGroup = (request, signal) => {
    joins.push(request);
    return joinGroup.call(broker, request, signal);
  };
  broker.heartbeat = (request, signal) => {
    waits.push(request.maxWaitMs);
    return heartbeat.call(broker, request, signal);
  };
  return { joins, waits };
}
const told = ({ protocols }: JoinGroupRequest) =>
  protocols.map(({ name, metadata }) => {
    const { topics, ownedPartitions, generation } = decodeSubscription(metadata);
    return { name, topics, ownedPartitions, generation };
  });

describe("a member that joins", () => {
  it("says who it is and by which protocols it could be assigned to, and with one that is eager that it owns nothing", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.addTopic("people", 1);
    const { joins, waits } = heard(broker);
    const reader = consumer({ groupId: "g", clientId: "c", maxPollIntervalMs: 7000 });
    await reader.subscribe(["people", "orders"]);
    await turns();
    const nothing = { topics: ["orders", "people"], ownedPartitions: [], generation: -1 };
    expect(joins[0]).toMatchObject({
      groupId: "g",
      memberId: "",
      groupInstanceId: null,
      clientId: "c",
      protocolType: "consumer",
      sessionTimeoutMs: null,
      rebalanceTimeoutMs: 7000,
    });
    expect(told(joins[0] as JoinGroupRequest)).toEqual([
      { name: "range", ...nothing },
      { name: "cooperative-sticky", ...nothing },
    ]);
    expect(waits).toEqual([1000]);
    await reader.subscribe(["orders"]);
    await turns();
    expect(joins[1]?.memberId).not.toBe("");
    expect(told(joins[1] as JoinGroupRequest)[1]).toEqual({ ...nothing, name: "cooperative-sticky", topics: ["orders"] });
    expect(reader.assignment()).toEqual([orders]);
  });

  it("tells what it owns, and since when, where all its protocols are cooperative, and goes on reading it meanwhile", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(2, clock);
    broker.appendSingles(orders, 2);
    const { joins } = heard(broker);
    const options = { groupId: "g", partitionAssignmentStrategy: "cooperative-sticky" } as const;
    const [first, other] = [consumer(options), consumer(options)];
    await first.subscribe(["orders"]);
    await turns();
    const owned = [orders, { ...orders, partition: 1 }];
    expect(first.assignment()).toEqual(owned);
    await other.subscribe(["orders"]);
    await turns();
    const rejoined = joins.slice(1).flatMap(told);
    expect(rejoined).toContainEqual({ name: "cooperative-sticky", topics: ["orders"], ownedPartitions: owned, generation: 1 });
    expect([first.assignment().length, other.assignment().length]).toEqual([1, 1]);
  });

  it("tries again 100 ms after an error that may pass, and not before", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    const { joins } = heard(broker);
    const { joinGroup } = broker;
    broker.joinGroup = async (request, signal) => {
      if (joins.length > 0) return joinGroup(request, signal);
      joins.push(request);
      throw new GroupError("COORDINATOR_LOAD_IN_PROGRESS", "loading");
    };
    const reader = consumer({ groupId: "g" });
    const subscribed = reader.subscribe(["orders"]);
    await turns();
    await clock.advance(99);
    expect(joins).toHaveLength(1);
    await clock.advance(1);
    await subscribed;
    await turns();
    expect([joins.length, reader.assignment()]).toEqual([2, [orders]]);
  });

  it("whom the group does not know any more joins as somebody new, having lost what it had", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    const { joins } = heard(broker);
    const reader = consumer({ groupId: "g" });
    const lost: unknown[] = [];
    await reader.subscribe(["orders"], { onPartitionsLost: (partitions) => void lost.push(partitions) });
    await turns();
    const [known] = (await broker.describeGroup("g")).members;
    await broker.leaveGroup({ groupId: "g", members: [{ memberId: known?.memberId as string, groupInstanceId: null }] });
    await turns();
    await clock.advance(1000);
    await turns();
    expect(lost).toEqual([[orders]]);
    expect(joins.map(({ memberId }) => memberId)).toEqual(["", ""]);
    const [now] = (await broker.describeGroup("g")).members;
    expect([now?.memberId === known?.memberId, reader.assignment()]).toEqual([false, [orders]]);
  });
});

describe("a member whose group is being rebalanced", () => {
  it("keeps what is in hand for maxPollIntervalMs, to the millisecond, and is then put out", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.appendSingles(orders, 2);
    const options = { groupId: "g", maxPollIntervalMs: 5000, enableAutoCommit: false };
    const [first, second] = [consumer(options), consumer(options)];
    await first.subscribe(["orders"]);
    const [record] = await first.poll();
    await second.subscribe(["orders"]);
    await turns();
    await clock.advance(4999);
    await turns();
    await first.commit(record);
    expect([first.assignment(), second.assignment()]).toEqual([[orders], []]);
    await clock.advance(1);
    await turns();
    expect(second.assignment()).toEqual([orders]);
    await expect(first.commit(record)).rejects.toBeInstanceOf(GroupError);
  });

  it("makes a commit that was turned away again after 10 ms", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.subscribe(["orders"]);
    await turns();
    broker.nextCommitError = new GroupError("REBALANCE_IN_PROGRESS", "a generation is being handed out");
    const committing = reader.commit([{ ...orders, nextOffset: 1 }]);
    await turns();
    await clock.advance(9);
    expect(broker.commits).toEqual([]);
    await clock.advance(1);
    await committing;
    expect(broker.committedOf("g", orders)).toBe(1);
  });
});

describe("what a rebalance tells", () => {
  function world(listener: Rebalancer["listener"]) {
    const assignment = new Assignment();
    const looks: string[] = [];
    const rebalancer = new Rebalancer({
      assignment,
      hand: new Hand(),
      fetcher: { interrupt: () => looks.push("fetcher") },
      reader: { interrupt: () => looks.push("reader") },
      positions: { resolve: async (states: readonly unknown[]) => void looks.push(`resolves ${states.length}`) },
      autoCommitter: null,
      emit: (type: string) => looks.push(type),
    } as unknown as RebalancerParts);
    rebalancer.listener = listener;
    return { assignment, rebalancer, looks };
  }

  it("of a loss to who listens to one kind of it alone, as what was revoked", async () => {
    const said: unknown[] = [];
    const { assignment, rebalancer } = world({ onPartitionsRevoked: (partitions) => void said.push(partitions) });
    assignment.add([orders]);
    await rebalancer.lose([orders]);
    expect([said, assignment.partitions()]).toEqual([[[orders]], []]);
  });

  it("while the partition is there still when it is taken, and already when it is given, with a position looked up behind it", async () => {
    const said: unknown[] = [];
    const { assignment, rebalancer, looks } = world({
      onPartitionsAssigned: (partitions) => void said.push(["assigned", partitions, assignment.partitions()]),
      onPartitionsRevoked: (partitions) => void said.push(["revoked", partitions, assignment.partitions()]),
    });
    await rebalancer.assign([orders]);
    expect(looks.splice(0)).toEqual(["resolves 1", "fetcher", "reader"]);
    await rebalancer.revoke([orders]);
    expect(looks.splice(0)).toEqual(["fetcher", "reader"]);
    expect(said).toEqual([
      ["assigned", [orders], [orders]],
      ["revoked", [orders], [orders]],
    ]);
    expect(assignment.partitions()).toEqual([]);
    await rebalancer.revokeAll();
    expect([said.length, looks]).toEqual([2, []]);
  });

  it("reports a listener that throws, and does what it was about to", async () => {
    const throwing = (): never => {
      throw new Error("the listener's own");
    };
    const { assignment, rebalancer, looks } = world({ onPartitionsAssigned: throwing, onPartitionsRevoked: throwing });
    await rebalancer.assign([orders]);
    expect([looks, assignment.partitions()]).toEqual([["listener.failed", "resolves 1", "fetcher", "reader"], [orders]]);
    await rebalancer.revokeAll();
    expect(assignment.partitions()).toEqual([]);
  });
});

describe("a subscription", () => {
  const broker = {
    metadata: async (names: readonly string[] | null) =>
      ["orders", "orders-eu", "people", "__orders"]
        .filter((name) => names === null || names.includes(name))
        .map((name, index) => ({ name, internal: name.startsWith("__"), partitionCount: index + 1 })),
  } as unknown as ConsumerBroker;
  const topics = async (wanted: readonly string[] | RegExp): Promise<string[]> => [
    ...(await new Subscription(wanted).topics(broker)).keys(),
  ];

  it("by a pattern is of all that match it now, every time, and of none that is internal", async () => {
    const sticky = new Subscription(/orders/gy);
    for (let count = 0; count < 3; count += 1) expect([...(await sticky.topics(broker)).keys()]).toEqual(["orders", "orders-eu"]);
    expect(await topics(/^ORDERS$/i)).toEqual(["orders"]);
    expect(await topics(/^ORDERS$/)).toEqual([]);
  });

  it("by name is of those that are there, once each, internal ones too, with their partitions", async () => {
    expect([...(await new Subscription(["__orders", "people", "people", "gone"]).topics(broker))]).toEqual([
      ["people", 1],
      ["__orders", 2],
    ]);
  });

  it.each([["orders"], [["orders", 5]], [{ 0: "orders" }], [null]])("is not made of %j", (wanted) => {
    expect(() => new Subscription(wanted as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
