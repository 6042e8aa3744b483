/** A member whose coordinator answers late, or otherwise than it hoped: what it waits for, what it takes no notice of, and who it is afterwards. */
import { describe, expect, it } from "vitest";
import { GroupError, UsageError } from "../../src/base/errors.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { bed, orders, valuesToEnd } from "./bed.ts";
import type { FakeBroker } from "./fake-broker.ts";

type GroupCall = "joinGroup" | "syncGroup" | "heartbeat";

/** Puts something before a call of the broker's; answers the call itself, to be made by what was put there. */
function preceding<C extends GroupCall>(broker: FakeBroker, call: C, does: (original: FakeBroker[C]) => FakeBroker[C]): void {
  broker[call] = does(broker[call].bind(broker) as FakeBroker[C]);
}

/** The next call is refused so. */
function refuseOnce(broker: FakeBroker, call: GroupCall, error: Error): void {
  let isDue = true;
  preceding(broker, call, (original) => {
    return ((request: never, signal: never) => {
      if (!isDue) return (original as (request: never, signal: never) => unknown)(request, signal);
      isDue = false;
      return Promise.reject(error);
    }) as never;
  });
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const turns = async (): Promise<void> => {
  for (let count = 0; count < 20; count++) await settled();
};
const memberIds = async (broker: FakeBroker): Promise<string[]> =>
  (await broker.describeGroup("g")).members.map(({ memberId }) => memberId);

describe("a member", () => {
  it("that cannot even ask for its topics is told so by subscribe, and may subscribe again", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer({ groupId: "g" });
    const metadata = broker.metadata.bind(broker);
    const refusal = new UsageError("INVALID_REQUEST", "no metadata today");
    broker.metadata = () => Promise.reject(refusal);
    await expect(reader.subscribe(["orders"])).rejects.toBe(refusal);
    broker.metadata = metadata;
    await reader.subscribe(["orders"]);
    await expect.poll(() => reader.assignment()).toEqual([orders]);
  });

  it("commits once it has its generation, when it was asked to before", async () => {
    const { broker, consumer } = await bed();
    const held = gate();
    preceding(broker, "syncGroup", (original) => async (request, signal) => {
      await held.opened;
      return original(request, signal);
    });
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    const committing = reader.commit([{ ...orders, nextOffset: 1 }]);
    await turns();
    expect(broker.commits).toEqual([]);
    held.open();
    await committing;
    expect(broker.committedOf("g", orders)).toBe(1);
  });

  it("that was closed while the coordinator let it in leaves again", async () => {
    const { broker, consumer } = await bed();
    const held = gate();
    // The abort comes too late to be heard.
    preceding(broker, "joinGroup", (original) => async (request) => {
      const joined = await original(request);
      await held.opened;
      return joined;
    });
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    expect(await memberIds(broker)).toHaveLength(1);
    await reader.close();
    held.open();
    await expect.poll(() => memberIds(broker)).toEqual([]);
  });

  it("that a generation left behind joins again as who it was", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    const reader = consumer({ groupId: "g" });
    const lost: number[] = [];
    await reader.subscribe(["orders"], { onPartitionsLost: (partitions) => void lost.push(partitions.length) });
    await turns();
    const known = await memberIds(broker);
    refuseOnce(broker, "heartbeat", new GroupError("ILLEGAL_GENERATION", "another generation has begun"));
    await clock.advance(2500);
    await turns();
    expect(lost).toEqual([1]);
    expect(reader.assignment()).toEqual([orders]);
    expect(await memberIds(broker)).toEqual(known);
  });

  it("that is told of the next rebalance while it syncs joins that one at once", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    refuseOnce(broker, "syncGroup", new GroupError("REBALANCE_IN_PROGRESS", "somebody else has come"));
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    await turns();
    // The clock stood still: nothing was waited for.
    expect(reader.assignment()).toEqual([orders]);
  });

  it("reads to the end again when a rebalance turns up there, and gives every record once", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(["orders"]);
    await expect.poll(() => reader.assignment()).toEqual([orders]);
    let isDue = true;
    preceding(broker, "heartbeat", (original) => async (request, signal) => {
      const answer = await original(request, signal);
      if (request.maxWaitMs > 0 || !isDue) return answer;
      isDue = false;
      // Something else to look at comes while the coordinator is asked.
      reader.resume();
      return { rebalanceInProgress: true };
    });
    const { generation } = await broker.describeGroup("g");
    expect(await valuesToEnd(reader)).toEqual(["0", "1", "2"]);
    expect(isDue).toBe(false);
    expect((await broker.describeGroup("g")).generation).toBeGreaterThan(generation);
  });

  it("goes on with what is left when a topic that it reads is deleted under it", async () => {
    const { broker, consumer } = await bed();
    const people = { topic: "people", partition: 0 };
    broker.addTopic("people", 1);
    const reader = consumer({ groupId: "g" });
    await reader.subscribe(/./);
    await expect.poll(() => reader.assignment()).toHaveLength(2);
    const next = reader.records().next();
    await expect.poll(() => broker.waitingCount).toBe(1);
    broker.removeTopic("orders");
    await expect.poll(() => reader.assignment()).toEqual([people]);
    broker.appendSingles(people, 1, 10);
    expect((await next).value).toMatchObject({ topic: "people", value: "10" });
  });
});
