/** On a page: the log through the tab's own worker, by a message port. */
import * as odradek from "odradek";
import { keepStorage } from "odradek/opfs";

globalThis.onPage = async (count) => {
  const { port1, port2 } = new MessageChannel();
  globalThis.worker.postMessage(null, [port2]);
  const log = await odradek.attachPort(port1);
  const producer = log.producer({ value: odradek.msgpack() });
  const sent = await Promise.all(Array.from({ length: count }, (_, i) => producer.send({ topic: "t", key: "page", value: { i } })));
  const consumer = log.consumer({ value: odradek.bytes });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const mine = [];
  for await (const { key, offset } of consumer.records({ until: "end" })) if (key === "page") mine.push(offset);
  const { persisted, quotaByteLength } = await keepStorage();
  await log.close();
  return { sent: sent.map(({ offset }) => offset), mine, durability: sent[0].durability, keeping: [typeof persisted, quotaByteLength > 0] };
};
