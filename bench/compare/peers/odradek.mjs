/** Odradek, as its users have it: the built package. */
import { bytes, open } from "../../../dist/index.js";

export const name = "odradek";
export const isDurable = true;
const AT = { topic: "t", partition: 0 };

export async function store(directory, { durable }) {
  const log = await open(directory);
  await log.createTopic("t", { durability: durable ? "sync" : "os", ifNotExists: true });
  const producer = log.producer({ key: bytes, value: bytes });
  const serdes = { key: bytes, value: bytes };
  const prepared = new Map();
  return {
    async appendBatch(records) {
      if (!prepared.has(records))
        prepared.set(
          records,
          records.map((record) => ({ topic: "t", ...record })),
        );
      await producer.sendBatch(prepared.get(records));
    },
    append: ({ key, value }) => producer.send({ topic: "t", key, value }),
    async scan(see) {
      const consumer = log.consumer(serdes);
      await consumer.assign([{ ...AT, offset: 0 }]);
      consumer.seek(AT, "earliest");
      for await (const batch of consumer.batches({ until: "end" })) for (const record of batch) see(record.key, record.value);
      await consumer.close();
    },
    // A literal: `{ ...AT, offset }` is another kind of object to V8 each time (Node 20), at a microsecond of the caller's own.
    read: (offset) => log.read({ topic: "t", partition: 0, offset }, serdes),
    /** Calls `see` for each record from now on; answers what ends it. */
    async subscribe(see) {
      const consumer = log.consumer(serdes);
      await consumer.assign([AT]);
      consumer.seek(AT, "latest");
      const running = (async () => {
        for await (const record of consumer) see(record.key);
      })();
      return async () => {
        await consumer.close();
        await running;
      };
    },
    close: () => log.close(),
  };
}
