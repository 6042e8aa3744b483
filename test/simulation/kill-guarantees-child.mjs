/** Lives until it is killed: transactions over three topics and a group's offsets, a keyed topic that is compacted, and what of it is done, on stdout. */
import { writeSync } from "node:fs";

const [entry, directory, life] = process.argv.slice(2);
const { open, utf8 } = await import(entry);

// Written at once: what was said before the kill is heard.
const say = (line) => writeSync(1, `${line}\n`);

const log = await open(directory, { topicDefaults: { segmentBytes: 16_384, minCleanableDirtyRatio: 0 } });
for (const topic of ["left", "right"]) await log.createTopic(topic, { ifNotExists: true });
await log.createTopic("input", { ifNotExists: true });
await log.createTopic("keyed", { cleanupPolicy: "compact", ifNotExists: true });
say("open");

let count = 0;

/** Every transaction writes to both sides, to a key of its own kind, and moves its group on: all of that, or none. */
async function transactions(name) {
  const producer = log.producer({ key: utf8, value: utf8, transactionalId: name, compressionType: name === "t0" ? "gzip" : "none" });
  const feed = log.producer({ key: utf8, value: utf8 });
  const consumer = log.consumer({ groupId: name, key: utf8, value: utf8, enableAutoCommit: false });
  await consumer.assign([{ topic: "input", partition: 0 }]);
  const at = await consumer.committed({ topic: "input", partition: 0 });
  if (at !== null) consumer.seek({ topic: "input", partition: 0 }, at);
  for (;;) {
    await feed.send({ topic: "input", key: null, value: `${life}:${count++}` });
    const [record] = await consumer.poll({ maxRecords: 1, timeoutMs: 1000 });
    if (record === undefined) continue;
    const id = `${name}:${record.offset}`;
    const aborts = count % 5 === 0;
    const body = async (tx) => {
      const value = id.padEnd(20 + (count % 300), "x");
      await Promise.all([
        tx.send({ topic: "left", key: id, value }),
        tx.send({ topic: "right", key: id, value }),
        tx.send({ topic: "right", key: id, value }),
        tx.send({ topic: "keyed", key: `${name}`, value: id }),
      ]);
      tx.commitOffsets(consumer);
      if (aborts) throw new Error("taken back");
    };
    say(`begin ${name} ${record.offset} ${aborts ? "abort" : "commit"}`);
    await producer.transaction(body).then(
      () => say(`committed ${name} ${record.offset}`),
      (error) => {
        if (error.message !== "taken back") throw error;
      },
    );
  }
}

async function puts() {
  const producer = log.producer({ key: utf8, value: utf8 });
  for (let put = 0; ; put += 1) {
    const key = `k${put % 40}`;
    const value = put % 7 === 6 ? null : `${life}:${put}:`.padEnd(20 + (put % 200), "y");
    say(`try ${key} ${value}`);
    const { offset } = await producer.send({ topic: "keyed", key, value });
    say(`put ${key} ${offset} ${value}`);
  }
}

async function cleans() {
  for (;;) {
    await log.maintain();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await Promise.all([transactions("t0"), transactions("t1"), puts(), cleans()]);
