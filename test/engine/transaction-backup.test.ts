/** A backup taken in the midst of transactions: each of them is in it whole, or not at all. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine } from "../simulation/engine-rig.ts";
import { committedOffset, readCommitted, TestProducer, unstable } from "../simulation/transaction-rig.ts";

describe("a backup in the midst of transactions", () => {
  it("has each of them in all of its partitions and offsets, or in none, and every one that was committed before it", async () => {
    const random = new SeededRandom(3);
    const life = await openEngine(memory());
    const topics = ["one", "two", "three", "four"];
    for (const topic of [...topics, "aside"]) await life.engine.createTopic({ topic, partitions: 1, config: { segmentBytes: 5000 } });
    for (let count = 0; count < 40; count += 1) {
      life.engine.core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
      for (let record = 0; record < 10; record += 1) life.engine.core.writer.append(null, new Uint8Array(1), null, life.clock.now());
      await life.engine.produce({ topic: "aside", partition: 0, batch: life.engine.core.writer.finish(), acks: "all" });
    }
    let running = true;
    let committed = 0;
    const transacting = (async (): Promise<void> => {
      const producer = await new TestProducer(life, "p").init();
      for (let number = 1; running && number <= 380; number += 1) {
        for (const topic of topics) await producer.send(topic, 0, `${number}`);
        await producer.commitOffset("p", "aside", 0, number);
        await producer.end(number % 5 !== 0);
        committed = number % 5 === 0 ? committed : number;
        if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 12; round += 1) {
      // Among the steps of a transaction, not between two.
      for (let turns = random.integer(1, 400); turns > 0; turns -= 1) await null;
      const promised = committed;
      const target = memory();
      await life.engine.backup(target);
      await holdsWhole(await openEngine(target), topics, promised);
    }
    running = false;
    await transacting;
    expect(committed).toBeGreaterThan(12);
    await life.engine.close();
  }, 60_000);
});

async function holdsWhole(copy: Life, topics: readonly string[], promised: number): Promise<void> {
  const [first, ...others] = await Promise.all(topics.map((topic) => readCommitted(copy, topic, 0)));
  for (const other of others) expect(other).toEqual(first);
  const last = Number(first?.at(-1) ?? 0);
  expect(last).toBeGreaterThanOrEqual(promised);
  expect((await committedOffset(copy, "p", "aside", 0)) ?? 0).toBe(last);
  for (const topic of topics) expect(await unstable(copy, topic, 0)).toBe(0);
  await copy.engine.close();
}
