/** Lives until it is killed: opens the directory with the built package, sends and commits, and says on stdout what was acknowledged. */
import { writeSync } from "node:fs";

const [entry, directory, life] = process.argv.slice(2);
const { open, utf8 } = await import(entry);

// Written at once: what was said before the kill is heard.
const say = (line) => writeSync(1, `${line}\n`);

const log = await open(directory, { topicDefaults: { segmentBytes: 16_384 } });
await log.createTopic("sync", { partitions: 2, ifNotExists: true });
await log.createTopic("os", { partitions: 1, durability: "os", ifNotExists: true });
say("open");

const producer = log.producer({ key: utf8, value: utf8 });
const consumer = log.consumer({ groupId: "killed", key: utf8, value: utf8, enableAutoCommit: false });
let count = 0;

async function sends(topic, partition) {
  for (;;) {
    const values = Array.from({ length: 1 + (count % 7) }, () => `${life}:${count++}:`.padEnd(20 + (count % 400), "x"));
    const sent = await Promise.all(values.map((value) => producer.send({ topic, partition, key: null, value })));
    for (const [index, { offset }] of sent.entries()) say(`ack ${topic} ${partition} ${offset} ${values[index]}`);
  }
}

async function commits() {
  for (let nextOffset = 1; ; nextOffset += 1) {
    const end = (await log.describeTopic("sync")).partitions[0].logEndOffset;
    const at = Math.min(nextOffset * 3, end);
    say(`try ${at}`);
    await consumer.commit([{ topic: "sync", partition: 0, nextOffset: at }], { durable: true });
    say(`commit ${at}`);
  }
}

await Promise.all([sends("sync", 0), sends("sync", 1), sends("os", 0), commits()]);
