/** Who takes over a partition in the midst of a transaction: it begins where that transaction leaves the group, not where it found it. */
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/serde.ts";
import { createConsumer } from "../../src/consumer/consumer.ts";
import { memory } from "../../src/index.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Life, openEngine, produce } from "../simulation/engine-rig.ts";
import { TestProducer } from "../simulation/transaction-rig.ts";

const ORDERS = { topic: "orders", partition: 0 };

function reader({ engine, clock }: Life, isolationLevel: "readCommitted" | "readUncommitted") {
  return createConsumer<string, string>(
    {
      broker: engine,
      compression: engine.compression,
      clock,
      random: new SeededRandom(5),
      emit: engine.events.emit,
      defaultKey: utf8,
      defaultValue: utf8,
      onClose: () => {},
    },
    { groupId: "g", isolationLevel, enableAutoCommit: false },
  );
}

async function bed(): Promise<Life> {
  const life = await openEngine(memory());
  await life.engine.createTopic({ topic: "orders", partitions: 1, config: { segmentBytes: 10_000 } });
  await produce(life, "orders", 0, ["a", "b", "c"]);
  return life;
}

describe("offsets that an open transaction is about to commit", () => {
  it.each([true, false])("are waited for by who begins there with committed records alone (it commits: %s)", async (commit) => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.commitOffset("g", "orders", 0, 2);
    const fetch = { groupId: "g", partitions: [ORDERS] };
    expect(await life.engine.offsetFetch(fetch)).toMatchObject([{ nextOffset: null }]);
    for (const partitions of [[ORDERS], null]) {
      const stable = life.engine.offsetFetch({ groupId: "g", partitions, requireStable: true });
      await expect(stable).rejects.toMatchObject({ code: "UNSTABLE_OFFSET_COMMIT", retriable: true });
    }
    const consumer = reader(life, "readCommitted");
    await consumer.assign([ORDERS]);
    const polled: string[] = [];
    const polling = consumer.poll({ timeoutMs: 10_000 }).then((records) => polled.push(...records.map(({ value }) => value ?? "")));
    for (let turn = 0; turn < 10; turn += 1) await life.clock.advance(100);
    expect(polled).toEqual([]);
    await producer.end(commit);
    for (let turn = 0; turn < 10; turn += 1) {
      await settled();
      await life.clock.advance(100);
    }
    await polling;
    // Nothing twice, nothing left out.
    expect(polled).toEqual(commit ? ["c"] : ["a", "b", "c"]);
    await consumer.close();
    await life.engine.close();
  });

  it("a poll that waits for them ends at its time, and a close at once", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.commitOffset("g", "orders", 0, 2);
    const consumer = reader(life, "readCommitted");
    await consumer.assign([ORDERS]);
    const polling = consumer.poll({ timeoutMs: 500 });
    for (let turn = 0; turn < 8; turn += 1) await life.clock.advance(100);
    expect(await polling).toEqual([]);
    const waiting = consumer.poll({ timeoutMs: 50_000 });
    await life.clock.advance(100);
    await consumer.close();
    expect(await waiting.catch((error: { code: string }) => error.code)).toSatisfy(
      (answer: unknown) => answer === "CONSUMER_CLOSED" || (Array.isArray(answer) && answer.length === 0),
    );
    await life.engine.close();
  });

  it("are nothing to a reader that takes what is not committed too", async () => {
    const life = await bed();
    const producer = await new TestProducer(life, "t").init();
    await producer.commitOffset("g", "orders", 0, 2);
    const consumer = reader(life, "readUncommitted");
    await consumer.assign([ORDERS]);
    expect((await consumer.poll({ timeoutMs: 100 })).map(({ value }) => value)).toEqual(["a", "b", "c"]);
    await consumer.close();
    await life.engine.close();
  });
});
