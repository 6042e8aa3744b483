/** Calls about one transactional id that meet: each finds what the one before it left, however late it is. */
import { describe, expect, it } from "vitest";
import { coordinatorPartition } from "../../src/base/java-hash.ts";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage, type StorageCall } from "../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { type Life, openEngine, produce, readPartition } from "../simulation/engine-rig.ts";
import { readCommitted, TestProducer, unstable } from "../simulation/transaction-rig.ts";

const DAY_MS = 24 * 3600 * 1000;
const STATE = "__transaction_state";

interface Held {
  readonly call: StorageCall;
  readonly name: RegExp;
}

interface Bed {
  readonly life: Life;
  readonly storage: FaultyStorage;
  /** Calls of this kind, about such a name, wait until they are let go. */
  readonly hold: (call: StorageCall, name: RegExp) => void;
  /** What waits goes on; from now on others wait, or none. */
  readonly letGo: (next?: Held) => Promise<void>;
}

async function bed(): Promise<Bed> {
  const clock = new ManualClock();
  let held: Held | null = null;
  const latencyMs = (call: StorageCall, name: string): number => (held?.call === call && held.name.test(name) ? 1 : 0);
  const storage = faultyStorage(memory(), { clock, latencyMs });
  const life = await openEngine(storage);
  await life.engine.createTopic({ topic: "orders", partitions: 8, config: { segmentBytes: 100_000 } });
  return {
    life,
    storage,
    hold: (call, name) => {
      held = { call, name };
    },
    letGo: async (next) => {
      held = next ?? null;
      await clock.advance(1);
    },
  };
}

/** Ids beside this one in its partition of `__transaction_state`. */
function neighbours(id: string, count: number): string[] {
  const partition = coordinatorPartition(id);
  const found: string[] = [];
  for (let at = 0; found.length < count; at += 1) if (coordinatorPartition(`n${at}`) === partition) found.push(`n${at}`);
  return found;
}

const code = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "",
    (error: { code: string }) => error.code,
  );
const events = ({ events: all }: Life, type: string): readonly object[] => all.filter((event) => event.type === type);

describe("a transaction that is past its time", () => {
  it("is not fenced when its producer's own end came first and was only waiting", async () => {
    const { life, hold, letGo } = await bed();
    const producer = await new TestProducer(life, "t").init(5000);
    await producer.send("orders", 0, "a");
    hold("createDirectory", /^__consumer_offsets/);
    const committing = producer.commitOffset("g", "orders", 0, 1);
    await settled();
    const ending = producer.end(false);
    await life.clock.advance(11_000);
    await letGo();
    await Promise.all([committing, ending]);
    await settled();
    for (const type of ["transaction.timedOut", "maintenance.failed"]) expect(events(life, type)).toEqual([]);
    await producer.send("orders", 0, "b");
    await producer.end(true);
    expect(await readCommitted(life, "orders", 0)).toEqual(["b"]);
    await life.engine.close();
  });
});

describe("an id that nobody was heard of for a week", () => {
  it("is not forgotten when its producer had come back and was only waiting", async () => {
    const { life, hold, letGo } = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    hold("sync", /^orders-0\//);
    const ending = producer.end(true);
    await settled();
    // That the commit is complete is not durable yet: the next transaction waits for it before it begins.
    await letGo({ call: "sync", name: new RegExp(`^${STATE}`) });
    await ending;
    const back = producer.add("orders", 1);
    await settled();
    life.clock.jump(8 * DAY_MS);
    await life.clock.advance(11_000);
    await letGo();
    await back;
    await settled();
    expect(events(life, "maintenance.failed")).toEqual([]);
    await producer.send("orders", 1, "b");
    expect(await code(producer.end(true))).toBe("");
    expect([await readCommitted(life, "orders", 0), await readCommitted(life, "orders", 1)]).toEqual([["a"], ["b"]]);
    await life.engine.close();
  });
});

describe("a marker that is late", () => {
  it("is written once, though the next producer and the hour of trying again come for it together", async () => {
    const { life, storage, hold, letGo } = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    await producer.send("orders", 1, "b");
    storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-1\/.*\.log$/ });
    expect(await code(producer.end(true))).toBe("MARKERS_PENDING");
    hold("sync", /^orders-1\//);
    const next = new TestProducer(life, "t");
    const taking = next.init();
    await settled();
    await life.clock.advance(1000);
    await letGo();
    await taking;
    await settled();
    expect(next.identity.producerEpoch).toBe(1);
    const { partitions } = life.engine.describeTopic("orders");
    expect(partitions[1]).toMatchObject({ logEndOffset: 2, lastStableOffset: 2 });
    expect([await readCommitted(life, "orders", 0), await readCommitted(life, "orders", 1)]).toEqual([["a"], ["b"]]);
    await life.engine.close();
  });

  it("is nobody's loss where the topic goes while it is written: the rest is committed, and nothing is late", async () => {
    const { life, storage, hold, letGo } = await bed();
    await life.engine.createTopic({ topic: "aside", partitions: 1, config: {} });
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    await producer.send("aside", 0, "b");
    hold("sync", /^aside-0\//);
    storage.fail({ call: "sync", errno: "EIO", name: /^aside-0\/.*\.log$/, times: Number.POSITIVE_INFINITY });
    const ending = code(producer.end(true));
    await settled();
    const deleting = life.engine.deleteTopic("aside");
    for (let turn = 0; turn < 100 && life.engine.hasTopic("aside"); turn += 1) await settled();
    expect(life.engine.hasTopic("aside")).toBe(false);
    await letGo();
    expect(await ending).toBe("");
    await deleting;
    expect(events(life, "transaction.late")).toEqual([]);
    expect(await readCommitted(life, "orders", 0)).toEqual(["a"]);
    await life.engine.close();
  });
});

describe("a partition of the state", () => {
  it("is made once for two ids that come for it at the same time", async () => {
    const { life, storage } = await bed();
    const ids = ["t", ...neighbours("t", 2)];
    const before = storage.count("createDirectory");
    const producers = await Promise.all(ids.map((id) => new TestProducer(life, id).init()));
    expect(storage.count("createDirectory") - before).toBe(1);
    expect(new Set(producers.map(({ identity }) => identity.producerId)).size).toBe(3);
    await life.engine.close();
  });

  it("that has failed under a neighbour decides no commit: it is as open as before, and is committed once that is mended", async () => {
    const { life, storage } = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.send("orders", 0, "a");
    storage.fail({ call: "sync", errno: "EIO", name: new RegExp(`^${STATE}`) });
    expect(await code(new TestProducer(life, neighbours("t", 1)[0] as string).init())).not.toBe("");
    expect(await code(producer.end(true))).toBe("PARTITION_FAILED");
    expect(await unstable(life, "orders", 0)).toBe(1);
    await life.engine.reopenPartition({ topic: STATE, partition: coordinatorPartition("t") });
    expect(await code(producer.end(true))).toBe("");
    expect(await readCommitted(life, "orders", 0)).toEqual(["a"]);
    await life.engine.close();
  });

  it("that nothing was ever written to is reopened in peace", async () => {
    const { life } = await bed();
    await new TestProducer(life, "t").init();
    await life.engine.reopenPartition({ topic: STATE, partition: (coordinatorPartition("t") + 1) % 50 });
    await life.engine.close();
  });
});

describe("a close", () => {
  it("refuses the calls that waited for their turn, and waits for the one that had it", async () => {
    const { life, hold, letGo } = await bed();
    await new TestProducer(life, "t").init();
    hold("sync", new RegExp(`^${STATE}`));
    const first = code(new TestProducer(life, "t").init());
    const second = code(new TestProducer(life, "t").init());
    await settled();
    const closing = life.engine.close();
    await settled();
    await letGo();
    expect([await first, await second]).toEqual(["", "LOG_CLOSED"]);
    await closing;
  });
});

describe("a partition that is being reopened", () => {
  it("takes no append until the offsets committed in it fit what was recovered", async () => {
    const { life, hold, letGo } = await bed();
    await produce(life, "orders", 0, ["a"]);
    hold("open", /^orders-0\//);
    const reopening = life.engine.reopenPartition({ topic: "orders", partition: 0 });
    await settled();
    await expect(produce(life, "orders", 0, ["b"])).rejects.toThrow("is being reopened and takes no appends yet");
    await letGo();
    await reopening;
    await produce(life, "orders", 0, ["c"]);
    expect((await readPartition(life, "orders", 0)).records.map(({ value }) => value)).toEqual(["a", "c"]);
    await life.engine.close();
  });
});
