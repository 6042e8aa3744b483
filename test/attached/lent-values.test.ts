/**
 * Two tabs shared a log, and the second record of a tab was another value: `["metadata", ["notes"]]`. A producer packs a record's value into
 * the one buffer of MessagePack and copies it a moment later. In between it asked for news of the topic, because it had known it for a
 * second; over a port that call is MessagePack too, and was packed over the value. What is lent is now put back by whoever packs meanwhile.
 */
import { MessageChannel } from "node:worker_threads";
import { expect, it } from "vitest";
import { LEND, type LendingSerializer, VALUE } from "../../src/base/serdes/lending.ts";
import { attachPort, memory, msgpack, open, servePort } from "../../src/index.ts";

const CONTEXT = { topic: "", headers: [] };

it("keeps a lent value while another is serialized, however large", () => {
  const serde = msgpack<unknown>();
  const lend = (value: unknown) => (serde as unknown as LendingSerializer<unknown>)[LEND](value, CONTEXT, VALUE);
  for (const byteLength of [1, 100, 10_000, 1_000_000]) {
    const value = "x".repeat(byteLength);
    const lent = lend(value);
    const other = serde.serialize(["metadata", "y".repeat(20_000)], CONTEXT);
    expect(serde.deserialize(new Uint8Array(lent), CONTEXT)).toBe(value);
    expect(serde.deserialize(new Uint8Array(other), CONTEXT)).toEqual(["metadata", "y".repeat(20_000)]);
  }
});

it("writes the value that was sent, over a port, whenever the producer asks for news or hands a batch over", async () => {
  const owner = await open({ storage: memory() });
  const { port1, port2 } = new MessageChannel();
  const stop = servePort(owner, port1);
  const log = await attachPort(port2);
  await log.createTopic("notes");
  const producer = log.producer({ batchSize: 300, lingerMs: 1 });
  const sent: object[] = [];
  for (let round = 0; round < 2; round += 1) {
    // Older than a second: the next send asks beside itself.
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, 1_050));
    const values = Array.from({ length: 40 }, (_, number) => ({ round, number, text: "note" }));
    sent.push(...values);
    await Promise.all(values.map((value) => producer.send({ topic: "notes", value })));
  }
  const consumer = log.consumer();
  await consumer.assign([{ topic: "notes", partition: 0 }]);
  const read: unknown[] = [];
  for await (const { value } of consumer.records({ until: "end" })) read.push(value);
  expect(read).toEqual(sent);
  await log.close();
  await stop();
  await owner.close();
});
