/** The shortest program that keeps something: it adds a record and reads all there are. Run it twice. */
import { open, utf8 } from "odradek";

const log = await open("./data");
try {
  await log.createTopic("greetings", { ifNotExists: true });

  const producer = log.producer({ value: utf8 });
  const { offset, durability } = await producer.send({ topic: "greetings", value: "hello" });
  console.log(`kept at offset ${offset}; outlives ${durability}`);

  const consumer = log.consumer({ value: utf8 });
  await consumer.assign([{ topic: "greetings", partition: 0 }]);
  for await (const { offset, timestamp, value } of consumer.records({ until: "end" })) {
    console.log(`${offset} ${new Date(timestamp).toISOString()} ${value}`);
  }
} finally {
  await log.close();
}
