/**
 * How fast are records with msgpack values read by `for await`, each a plain object, beside the decoding of the same values alone?
 * Not answered: what the caller does with them, and other serdes.
 */
import { msgpack } from "odradek";
import { filledLog } from "./harness/filled-log.mjs";
import { remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";

const total = quick ? 40_000 : 300_000;
const value = { orderId: 12345, customer: "u-17", amount: 99.5, items: ["spool", "thread"], express: false };
const serde = msgpack();
const BATCH = 1000;
const { directory, log } = await filledLog(
  total,
  serde,
  Array.from({ length: BATCH }, (_, index) => ({ topic: "t", key: `key-${index}`, value })),
);
const context = { topic: "t", headers: [] };
const encoded = serde.serialize(value, context);
await race({
  name: "for await, msgpack values",
  unit: "records/s",
  against: "msgpack decoding alone",
  budget: { ratio: 0.6 },
  ours: async () => {
    const consumer = log.consumer();
    await consumer.assign([{ topic: "t", partition: 0 }]);
    let seen = 0;
    const took = await seconds(async () => {
      for await (const record of consumer.records({ until: "end" })) seen += record.value.items.length;
    });
    await consumer.close();
    if (seen !== total * 2) throw new Error(`expected ${total} records, saw ${seen / 2}`);
    return total / took;
  },
  raw: async () => {
    let seen = 0;
    const took = await seconds(async () => {
      for (let record = 0; record < total; record += 1) seen += serde.deserialize(encoded, context).items.length;
    });
    return seen / 2 / took;
  },
});
await log.close();
remove(directory);
