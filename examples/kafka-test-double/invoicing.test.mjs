/** The program, on a good day, on a disk that is full, and through a loss of power in the middle of its work. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { json, memory, open } from "odradek";
import { crashStorage, faultyStorage, SeededRandom } from "odradek/testing";
import { invoicing } from "./invoicing.mjs";
import { kafkaOnOdradek } from "./kafka-on-odradek.mjs";

const ORDERS = Array.from({ length: 40 }, (_, i) => ({ customer: `u-${i % 5}`, lines: [{ count: i + 1, cents: 100 }] }));

/** A log on `storage`, with the topics, as the program's Kafka. */
async function house(storage) {
  const log = await open({ storage });
  const kafka = kafkaOnOdradek(log);
  await kafka.admin().createTopics({
    topics: [
      { topic: "orders", numPartitions: 3 },
      { topic: "invoices", numPartitions: 1 },
    ],
  });
  return { log, kafka };
}

async function order(kafka, orders) {
  const producer = kafka.producer();
  await producer.send({ topic: "orders", messages: orders.map((each) => ({ key: each.customer, value: JSON.stringify(each) })) });
  await producer.disconnect();
}

/** Reads invoices until there is one for each of `count` orders; answers the last of each number, and how many there were. */
async function invoices(log, count) {
  const consumer = log.consumer({ value: json() });
  await consumer.assign([{ topic: "invoices", partition: 0 }]);
  const byNumber = new Map();
  let written = 0;
  for await (const { value } of consumer) {
    byNumber.set(value.number, value);
    written += 1;
    if (byNumber.size === count) break;
  }
  await consumer.close();
  return { byNumber, written };
}

it("writes one invoice for each order", async () => {
  const { log, kafka } = await house(memory());
  const stop = await invoicing(kafka);
  await order(kafka, ORDERS);
  const { byNumber, written } = await invoices(log, ORDERS.length);
  assert.equal(written, ORDERS.length);
  assert.equal(
    [...byNumber.values()].reduce((sum, { cents }) => sum + cents, 0),
    (40 * 41 * 100) / 2,
  );
  await stop();
  await log.close();
});

it("goes on where it was when it is stopped and started", async () => {
  const { log, kafka } = await house(memory());
  for (const done of [0, 20]) {
    const stop = await invoicing(kafka);
    await order(kafka, ORDERS.slice(done, done + 20));
    await invoices(log, done + 20);
    await stop();
  }
  const { written } = await invoices(log, ORDERS.length);
  assert.equal(written, ORDERS.length);
  await log.close();
});

it("tries again while invoices cannot be written, and leaves none out", async () => {
  const storage = faultyStorage(memory());
  const { log, kafka } = await house(storage);
  const full = storage.fail({ call: "writeAt", name: /^invoices-0\//, nth: 10, times: 5, errno: "ENOSPC" });
  const stop = await invoicing(kafka);
  await order(kafka, ORDERS);
  const { byNumber } = await invoices(log, ORDERS.length);
  assert.equal(byNumber.size, ORDERS.length);
  assert.equal(full.metCount, 5);
  await stop();
  await log.close();
});

it("loses no order and no invoice to a loss of power", async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    const disk = crashStorage();
    const before = await house(disk);
    await order(before.kafka, ORDERS);
    const stopBefore = await invoicing(before.kafka);
    await invoices(before.log, 10 + seed * 5);
    // The power goes in the middle of it; nothing was closed. What was not flushed is gone, or not, as chance will have it.
    const after = await house(disk.crash(new SeededRandom(seed)));
    await Promise.allSettled([stopBefore(), before.log.close()]);
    const stop = await invoicing(after.kafka);
    const { byNumber } = await invoices(after.log, ORDERS.length);
    assert.equal(byNumber.size, ORDERS.length);
    await stop();
    await after.log.close();
  }
});
