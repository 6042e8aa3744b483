/** Commits over the port: each partition has its own answer, what may be committed to, and when it is on the disk. */
import { afterEach, describe, expect, it } from "vitest";
import type { OffsetCommitRequest } from "../../src/api/broker.ts";
import { removeDirectoryWhole } from "../../src/engine/leftover.ts";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { commit, type Life, openEngine, watched } from "../simulation/engine-rig.ts";
import { committedOffset, TestProducer } from "../simulation/transaction-rig.ts";

let life: Life | null = null;
/** Ids are drawn anew in each life of a directory. */
let seed = 0;
afterEach(async () => {
  await life?.engine.close();
  life = null;
});

async function bed(storage = memory(), partitions = 2): Promise<Life> {
  life = await openEngine(storage, seed++);
  if (!life.engine.hasTopic("orders")) await life.engine.createTopic({ topic: "orders", partitions, config: {} });
  return life;
}

const offsetOf = (topic: string, partition: number, nextOffset: number) => ({
  topic,
  partition,
  nextOffset,
  leaderEpoch: -1,
  metadata: "",
});
const requestOf = (groupId: string, ...offsets: ReturnType<typeof offsetOf>[]): OffsetCommitRequest => ({
  groupId,
  memberId: "",
  groupInstanceId: null,
  generation: -1,
  durable: true,
  offsets,
});

describe("a commit", () => {
  it("answers for each of its partitions, in their order: those that are not there are refused, and the others committed", async () => {
    const at = await bed();
    const request = requestOf("g", offsetOf("orders", 0, 0), offsetOf("nowhere", 0, 5), offsetOf("orders", 2, 5), offsetOf("orders", 1, 0));
    const answers = await at.engine.offsetCommit(request);
    expect(answers.map(({ topic, partition, fault }) => [topic, partition, fault?.code ?? null])).toEqual([
      ["orders", 0, null],
      ["nowhere", 0, "UNKNOWN_TOPIC_OR_PARTITION"],
      ["orders", 2, "UNKNOWN_TOPIC_OR_PARTITION"],
      ["orders", 1, null],
    ]);
    expect([await committedOffset(at, "g", "orders", 0), await committedOffset(at, "g", "orders", 1)]).toEqual([0, 0]);
    expect((await at.engine.offsetFetch({ groupId: "g", partitions: null })).map(({ partition }) => partition).sort()).toEqual([0, 1]);
  });

  it("may be about a partition that could not be opened: its offsets are not its records", async () => {
    const storage = memory();
    await (await bed(storage)).engine.close();
    await removeDirectoryWhole(storage, "orders-1");
    const at = await bed(storage);
    await commit(at, "g", "orders", 1, 7, true);
    expect(await committedOffset(at, "g", "orders", 1)).toBe(7);
  });

  it("of a transaction is all of it or nothing", async () => {
    const at = await bed();
    const producer = await new TestProducer(at, "t").init();
    const who = { transactionalId: "t", ...producer.identity };
    await at.engine.addOffsets({ ...who, groupId: "g" });
    const { durable: _, ...request } = requestOf("g", offsetOf("orders", 0, 0), offsetOf("orders", 9, 5));
    await expect(at.engine.commitOffsets({ ...who, ...request })).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await producer.end(true);
    expect(await committedOffset(at, "g", "orders", 0)).toBeNull();
  });

  it("is told of as pending only to those who ask for what is stable", async () => {
    const at = await bed();
    await commit(at, "g", "orders", 0, 0, true);
    const producer = await new TestProducer(at, "t").init();
    await producer.commitOffset("g", "orders", 1, 0);
    const ask = (partition: number, requireStable?: boolean): Promise<unknown> =>
      at.engine.offsetFetch({ groupId: "g", partitions: [{ topic: "orders", partition }], requireStable });
    await expect(ask(1, true)).rejects.toMatchObject({ name: "GroupError", code: "UNSTABLE_OFFSET_COMMIT" });
    for (const requireStable of [false, undefined]) expect(await ask(1, requireStable)).toMatchObject([{ nextOffset: null }]);
    expect(await ask(0, true)).toMatchObject([{ nextOffset: 0 }]);
    await producer.end(true);
    expect(await ask(1, true)).toMatchObject([{ nextOffset: 0 }]);
  });
});

describe("groups", () => {
  it("are listed once each, in their order, by what they committed or who is in them, and counted", async () => {
    const at = await bed();
    for (const group of ["c", "a"]) await commit(at, group, "orders", 0, 0, true);
    for (const groupId of ["b", "a"])
      await at.engine.joinGroup({
        groupId,
        memberId: "",
        groupInstanceId: null,
        clientId: "",
        protocolType: "other",
        protocols: [{ name: "p", metadata: new Uint8Array(0) }],
        sessionTimeoutMs: null,
        rebalanceTimeoutMs: 60_000,
      });
    expect(await at.engine.listGroups()).toEqual(["a", "b", "c"]);
    expect(at.engine.metrics()["groups"]).toBe(3);
    expect(await at.engine.describeGroup("c")).toEqual({
      groupId: "c",
      state: "Empty",
      generation: 0,
      protocolType: "",
      protocolName: null,
      members: [],
    });
    await at.engine.deleteGroup("c");
    expect(await at.engine.listGroups()).toEqual(["a", "b"]);
  });
});

describe("what is committed", () => {
  it("is on the disk when the commit resolves where that was asked, else within the time that was set, in one flush", async () => {
    const flushed: string[] = [];
    const storage = watched(memory(), (call) => {
      if (/^sync __consumer_offsets.*\.log$/.test(call)) flushed.push(call);
    });
    const at = await bed(storage as ReturnType<typeof memory>);
    await commit(at, "g", "orders", 0, 0, true);
    flushed.length = 0;
    await commit(at, "g", "orders", 0, 0, true);
    expect(flushed).toHaveLength(1);
    for (let count = 0; count < 3; count += 1) await commit(at, "g", "orders", 0, 0, false);
    await at.clock.advance(99);
    expect(flushed).toHaveLength(1);
    await at.clock.advance(1);
    await settled();
    expect(flushed).toHaveLength(2);
    await at.clock.advance(1000);
    expect(flushed).toHaveLength(2);
    await commit(at, "g", "orders", 0, 0, false);
    await at.engine.close();
    expect(flushed.length).toBeGreaterThan(2);
  });

  it("and cannot be flushed at its time is told of", async () => {
    const storage = faultyStorage(memory());
    const at = await bed(storage as unknown as ReturnType<typeof memory>);
    await commit(at, "g", "orders", 0, 0, true);
    storage.fail({ call: "sync", errno: "EIO", name: /^__consumer_offsets/, times: Number.POSITIVE_INFINITY });
    await commit(at, "g", "orders", 0, 0, false);
    await at.clock.advance(100);
    for (let turn = 0; turn < 5; turn += 1) await settled();
    expect(at.events.filter(({ type }) => type === "storage.failed").map((event) => event["topic"] ?? event.partition?.topic)).toContain(
      "__consumer_offsets",
    );
    storage.mend();
  });
});
