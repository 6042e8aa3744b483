/**
 * How fast are records with msgpack values read by `for await`, each a plain object, beside msgpackr alone, as it is on npm, which decodes
 * the same messages where they lie one behind another in the memory of a batch; and beside our own serde (the same msgpackr, which reads
 * without a view of each message), which decodes a single value again and again? The budget was made for the first. Not answered: what the
 * caller does with the records, and other serdes. The bare loop takes each record out of a batch in memory and gives it in a promise.
 */
import { Packr } from "msgpackr";
import { msgpack } from "odradek";
import { inPlaceReaderOf } from "../build/js/base/serdes/in-place.js";
import { msgpack as msgpackInPlace } from "../build/js/base/serdes/msgpack.js";
import { batchesOf, encoded, recordsOf } from "./harness/bare-loop.mjs";
import { filledLog } from "./harness/filled-log.mjs";
import { remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";

const total = quick ? 40_000 : 300_000;
const value = { orderId: 12345, customer: "u-17", amount: 99.5, items: ["spool", "thread"], express: false };
const serde = msgpack();
const BATCH = 1000;
const records = Array.from({ length: BATCH }, (_, index) => ({ topic: "t", key: `key-${index}`, value }));
const { directory, log } = await filledLog(total, serde, records);
const context = { topic: "t", headers: [] };
const message = serde.serialize(value, context);
const ours = async () => {
  const consumer = log.consumer();
  await consumer.assign([{ topic: "t", partition: 0 }]);
  let seen = 0;
  const took = await seconds(async () => {
    for await (const record of consumer.records({ until: "end" })) seen += record.value.items.length;
  });
  await consumer.close();
  if (seen !== total * 2) throw new Error(`expected ${total} records, saw ${seen / 2}`);
  return total / took;
};
const packr = new Packr({ useRecords: false });
const batch = new Uint8Array(BATCH * message.length);
for (let record = 0; record < BATCH; record += 1) batch.set(message, record * message.length);
const [withKeys] = batchesOf(records.map(({ key }) => ({ key, value: message })));
const stored = encoded(withKeys).slice();
const readValue = inPlaceReaderOf(msgpackInPlace());
await race({
  name: "for await, msgpack values",
  unit: "records/s",
  against: "msgpackr alone, message after message of a batch",
  budget: { ratio: 0.6 },
  ours,
  raw: async () => {
    let seen = 0;
    const took = await seconds(async () => {
      for (let record = 0; record < total; record += 1) {
        const at = (record % BATCH) * message.length;
        seen += packr.unpack(new Uint8Array(batch.buffer, at, message.length)).items.length;
      }
    });
    return seen / 2 / took;
  },
  limits: [
    {
      name: "bare loop",
      does: "records of one batch in memory: key as text, value by our serde, a plain object, in a promise each",
      lap: async () => {
        let seen = 0;
        const took = await seconds(async () => {
          for (let read = 0; read < total; read += BATCH) {
            const next = recordsOf(stored, readValue);
            for (let record = await given(next); record !== null; record = await given(next)) seen += record.value.items.length;
          }
        });
        return seen / 2 / took;
      },
    },
  ],
});
await race({
  name: "for await, msgpack values, beside one value again and again",
  unit: "records/s",
  against: "our msgpack serde, one message again and again",
  ours,
  raw: async () => {
    let seen = 0;
    const took = await seconds(async () => {
      for (let record = 0; record < total; record += 1) seen += serde.deserialize(message, context).items.length;
    });
    return seen / 2 / took;
  },
});
await log.close();
remove(directory);

/** As an iterator gives it: a promise that stands already. */
function given(next) {
  return Promise.resolve(next());
}
