/** Everything at once: topics made, grown and removed under producers and readers, and a close in the middle. Every call settles, with an answer or a typed error. */
import { describe, expect, it } from "vitest";
import type { Odradek } from "../../src/api/index.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { memory } from "../../src/index.ts";
import { SeededRandom } from "../../src/testing/index.ts";
import { openLog, PLACES, sendAll } from "../face/support.ts";

const LEGAL_CODES = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "TOPIC_ALREADY_EXISTS",
  "INVALID_PARTITIONS",
  "LOG_CLOSED",
  "PRODUCER_CLOSED",
  "CONSUMER_CLOSED",
  "OFFSET_OUT_OF_RANGE",
  "SEND_BATCH_FAILED",
]);

/** The code of a refusal that may come of calls that cross; anything else fails the test. */
function codeOf(error: unknown): string {
  expect(error).toBeInstanceOf(OdradekError);
  const { code, message } = error as OdradekError;
  expect(LEGAL_CODES, `${code}: ${message}`).toContain(code);
  return code;
}

describe.each(PLACES)("in $place", ({ make }) => {
  it("a topic deleted and made anew under a producer keeps what was acknowledged since it was made, and nothing of before", {
    timeout: 60_000,
  }, async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders", { partitions: 2 });
    let running = true;
    let life = 0;
    const kept = new Map<string, { life: number; value: number }>();
    const producer = log.producer({ partitioner: (record) => (record.value as number) % 2 });
    const producing = (async (): Promise<void> => {
      for (let value = 0; running; value += 1) {
        const before = life;
        try {
          const { partition, offset } = await producer.send({ topic: "orders", value });
          // Sent and acknowledged within one life of the topic: it must be there, unless the topic goes again.
          if (before === life) kept.set(`${life}/${partition}/${offset}`, { life, value });
        } catch (error) {
          codeOf(error);
        }
        if (value % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let round = 0; round < 8; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      life = Number.NaN;
      await log.deleteTopic("orders");
      await log.createTopic("orders", { partitions: 2 });
      life = round + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    running = false;
    await producing;
    await log.close();
    const again = await openLog(storage);
    const last = [...kept].filter(([, { life: of }]) => of === 8);
    expect(last.length).toBeGreaterThan(0);
    for (const [place, { value }] of last) {
      const [, partition, offset] = place.split("/").map(Number) as [number, number, number];
      expect(await again.read({ topic: "orders", partition, offset })).toMatchObject({ value });
    }
  });

  it("random calls that cross all settle, and the log closes and opens whole", { timeout: 60_000 }, async () => {
    const seed = Number(process.env["FC_SEED"] ?? 7);
    const random = new SeededRandom(seed);
    const pick = (count: number): number => Math.floor(random.next() * count);
    const storage = make();
    for (let round = 0; round < 4; round += 1) {
      const log = await openLog(storage, { topicDefaults: { segmentBytes: 600, retentionBytes: 2000 } });
      const calls: readonly ((topic: string) => Promise<unknown>)[] = [
        (topic) => log.createTopic(topic, { partitions: 1 + pick(3) }),
        (topic) => log.deleteTopic(topic),
        (topic) => log.createPartitions(topic, 1 + pick(5)),
        (topic) => log.alterTopic(topic, { retentionBytes: pick(2) === 0 ? null : 1000 }),
        (topic) => log.describeTopic(topic),
        (topic) => log.deleteRecords({ topic, partition: 0 }, pick(10)),
        (topic) => log.producer().send({ topic, value: pick(1000) }),
        (topic) => log.producer().sendBatch([1, 2, 3].map((value) => ({ topic, value }))),
        (topic) => log.read({ topic, partition: 0, offset: pick(20) }),
        (topic) => log.resetOffsets("g", topic, "latest"),
        () => log.maintain(),
        () => log.listGroups(),
        (topic) => readSome(log, topic),
      ];
      const running: Promise<unknown>[] = [];
      for (let step = 0; step < 150; step += 1) {
        running.push((calls[pick(calls.length)] as (typeof calls)[number])(`topic${pick(3)}`).catch(codeOf));
        if (pick(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      // Closed in the middle of it all, in every second round.
      if (round % 2 === 0) await Promise.all(running);
      await log.close();
      await Promise.all(running);
      const again = await openLog(storage);
      for (const topic of await again.listTopics()) {
        for (const { partition, logStartOffset, logEndOffset, highWatermark } of (await again.describeTopic(topic)).partitions) {
          expect(highWatermark, `seed ${seed} ${topic}-${partition}`).toBe(logEndOffset);
          if (logEndOffset > logStartOffset && !topic.startsWith("__")) {
            expect(await again.read({ topic, partition, offset: logEndOffset - 1 }), `seed ${seed} ${topic}-${partition}`).not.toBeNull();
          }
        }
        if (!topic.startsWith("__")) await sendAll(again, topic, ["on"]);
      }
      expect(again.metrics()).toMatchObject({ partitionsFailed: 0 });
      await again.close();
    }
  });
});

async function readSome(log: Odradek, topic: string): Promise<void> {
  const consumer = log.consumer();
  try {
    await consumer.assign([{ topic, partition: 0 }]);
    await consumer.poll({ timeoutMs: 5 });
  } finally {
    await consumer.close();
  }
}

describe("a topic deleted under those who read it", () => {
  it("ends a plain reader with its name, and leaves a group waiting for the topic to come back", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    await log.createTopic("audit");
    await sendAll(log, "orders", [1, 2]);
    const plain = log.consumer();
    await plain.assign([{ topic: "orders", partition: 0 }]);
    expect(await plain.poll()).toHaveLength(2);
    const waiting = plain.poll({ timeoutMs: 5000 });
    const member = log.consumer({ groupId: "g" });
    await member.subscribe(["orders", "audit"]);
    expect(await member.poll()).toHaveLength(2);
    await log.deleteTopic("orders");
    await expect(waiting).rejects.toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await sendAll(log, "audit", ["on"]);
    const seen: unknown[] = [];
    for (let round = 0; round < 200 && seen.length === 0; round += 1)
      for (const { value } of await member.poll({ timeoutMs: 20 })) seen.push(value);
    expect(seen).toEqual(["on"]);
  });
});
