/** What a fetch of committed records is given while transactions are open, over the broker port. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/index.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { type Life, openEngine, produce } from "../simulation/engine-rig.ts";
import { TestProducer } from "../simulation/transaction-rig.ts";

const AT = { topic: "orders", partition: 0 };

async function bed(): Promise<{ life: Life; producer: TestProducer }> {
  const life = await openEngine(memory());
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
  return { life, producer: await new TestProducer(life, "t").init() };
}

const listed = async (life: Life, isolation: "readCommitted" | "readUncommitted", at: "latest" | number): Promise<number | null> =>
  (await life.engine.listOffsets({ partitions: [{ ...AT, at }], isolation }))[0]?.offset ?? null;

describe("a fetch of committed records", () => {
  it("waits while only an open transaction grows, and is answered when its marker can be read", async () => {
    const { life, producer } = await bed();
    await producer.send("orders", 0, "a");
    let answered = 0;
    const fetched = life.engine
      .fetch({
        partitions: [{ ...AT, offset: 0, maxBytes: 10_000 }],
        minBytes: 1,
        maxWaitMs: 60_000,
        maxBytes: 10_000,
        isolation: "readCommitted",
      })
      .then((response) => {
        answered += 1;
        return response;
      });
    await producer.send("orders", 0, "b");
    await settled();
    expect(answered).toBe(0);
    await producer.end(true);
    const [answer] = (await fetched).partitions;
    expect(answer?.watermarks).toMatchObject({ lastStableOffset: 3, highWatermark: 3 });
    expect(answer?.batches.byteLength).toBeGreaterThan(0);
    expect(answer?.abortedTransactions).toEqual([]);
    await life.engine.close();
  });

  it("names the aborted transactions among its batches, by first offset; the other isolation names none", async () => {
    const { life, producer } = await bed();
    await producer.send("orders", 0, "no");
    await producer.end(false);
    await produce(life, "orders", 0, ["plain"]);
    for (const [isolation, expected] of [
      ["readCommitted", [{ producerId: producer.identity.producerId, firstOffset: 0 }]] as const,
      ["readUncommitted", []] as const,
    ]) {
      const request = { partitions: [{ ...AT, offset: 0, maxBytes: 10_000 }], minBytes: 0, maxWaitMs: 0, maxBytes: 10_000, isolation };
      expect((await life.engine.fetch(request)).partitions[0]?.abortedTransactions).toEqual(expected);
    }
    expect(life.engine.atHand?.read({ ...AT, offset: 0, maxBytes: 10_000 })?.abortedTransactions).toHaveLength(1);
    // Behind the marker there is none of it.
    expect(life.engine.atHand?.read({ ...AT, offset: 2, maxBytes: 10_000 })?.abortedTransactions).toEqual([]);
    await life.engine.close();
  });

  it("ends where the newest offset is listed: at the open transaction, unless everything is asked for", async () => {
    const { life, producer } = await bed();
    await produce(life, "orders", 0, ["plain"]);
    await producer.send("orders", 0, "open");
    expect([await listed(life, "readCommitted", "latest"), await listed(life, "readUncommitted", "latest")]).toEqual([1, 2]);
    expect([await listed(life, "readCommitted", 0), await listed(life, "readUncommitted", 0)]).toEqual([0, 0]);
    await producer.end(true);
    expect([await listed(life, "readCommitted", "latest"), await listed(life, "readUncommitted", "latest")]).toEqual([3, 3]);
    await life.engine.close();
  });
});
