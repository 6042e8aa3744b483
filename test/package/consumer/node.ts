/** A server's program, as far as a compiler sees it. */
import type { EventEmitter } from "node:events";
import { msgpack, nodeStorage, type Odradek, open, StorageError, utf8 } from "odradek";
import { crashStorage, ManualClock } from "odradek/testing";

interface Order {
  readonly id: string;
  readonly amount: number;
}

export async function main(events: EventEmitter, bytes: Buffer): Promise<number> {
  const log: Odradek = await open(new URL("file:///data"), { attach: true, signal: new AbortController().signal });
  await log.createTopic("orders", { partitions: 4, ifNotExists: true, durability: "sync" });
  const billing = log.producer<string, Order>({ key: utf8, value: msgpack<Order>(), transactionalId: "billing" });
  const consumer = log.consumer<string, Order>({ groupId: "billing", value: msgpack<Order>(), enableAutoCommit: false });
  await consumer.subscribe(["orders"]);
  let sum = 0;
  for await (const batch of consumer.batches({ until: "end" })) {
    for (const { value } of batch) sum += value?.amount ?? 0;
    await billing.transaction(async (tx) => {
      await tx.send({ topic: "orders", key: "sum", value: { id: "sum", amount: sum } });
      tx.commitOffsets(consumer);
    });
  }
  await log.producer({ value: { serialize: (value: Buffer) => value } }).send({ topic: "orders", value: bytes });
  try {
    await log.backup("/backup");
  } catch (error) {
    if (error instanceof StorageError) events.emit("error", error.code, error.holder);
  }
  await using second = await open({ storage: nodeStorage("/other"), readOnly: true });
  const names: string[] = await second.listTopics();
  // @ts-expect-error: a topic has no such setting
  await log.createTopic("wrong", { retentionHours: 1 });
  crashStorage();
  new ManualClock();
  return names.length;
}
