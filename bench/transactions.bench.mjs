/**
 * How many transactions a second, beside the flushes that none can do without: the data, the decision, the markers, one after the other,
 * each of them a raw write + fdatasync, several files of one step at once? With more producers than one, flushes are shared.
 */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const ROUNDS = quick ? 9 : 25;
const TURNS = quick ? 5 : 60;
/** A state record and a marker, near enough. */
const DECISION = new Uint8Array(180).fill(7);
const MARKER = new Uint8Array(78).fill(7);

for (const { label, partitions, producers, withOffsets = false } of [
  { label: "one partition", partitions: 1, producers: 1 },
  { label: "one partition and offsets", partitions: 1, producers: 1, withOffsets: true },
  { label: "four partitions", partitions: 4, producers: 1 },
  { label: "16 producers, four partitions each", partitions: 4, producers: 16 },
]) {
  const directory = freshDirectory("transactions");
  const log = await open(join(directory, "log"));
  await log.createTopic("t", { partitions });
  const records = Array.from({ length: partitions }, (_, partition) => someRecords("t", 1, 100, partition)[0]);
  const senders = await Promise.all(Array.from({ length: producers }, (_, index) => makeSender(log, records, index, withOffsets)));

  const files = await Promise.all(Array.from({ length: partitions + 2 }, (_, index) => openFile(join(directory, `raw-${index}`), "w")));
  const [decisions, offsets, ...data] = files;
  const ends = new Map(files.map((file) => [file, 0]));
  const flushed = async (file, block) => {
    ends.set(file, ends.get(file) + writeSync(file.fd, block, 0, block.length, ends.get(file)));
    await file.datasync();
  };
  const block = new Uint8Array(producers * (61 + framedByteLength(100))).fill(7);
  const parts = withOffsets ? [...data, offsets] : data;
  await race({
    name: `transactions, ${label}`,
    unit: "txn/s",
    rounds: ROUNDS,
    ours: async () => {
      const many = async (send) => {
        for (let turn = 0; turn < TURNS; turn += 1) await send();
      };
      return (producers * TURNS) / (await seconds(() => Promise.all(senders.map(many))));
    },
    raw: async () => {
      const took = await seconds(async () => {
        for (let turn = 0; turn < TURNS; turn += 1) {
          await Promise.all(parts.map((file) => flushed(file, block)));
          await flushed(decisions, DECISION);
          await Promise.all(parts.map((file) => flushed(file, MARKER)));
        }
      });
      return (producers * TURNS) / took;
    },
  });
  for (const file of files) await file.close();
  await log.close();
  remove(directory);
}

/** A producer with a transactionalId of its own, and what makes one transaction of it. */
async function makeSender(log, records, index, withOffsets) {
  const producer = log.producer({ key: utf8, value: bytes, transactionalId: `t${index}` });
  const consumer = withOffsets ? await reader(log) : null;
  const transact = async () => {
    const polled = consumer === null ? 0 : (await consumer.poll({ maxRecords: 1 })).length;
    if (consumer !== null && polled === 0) throw new Error("expected a record to commit the offset of, found none");
    await producer.transaction(async (tx) => {
      for (const record of records) void tx.send(record);
      if (consumer !== null) tx.commitOffsets(consumer);
    });
  };
  await transact();
  return transact;
}

/** Of a topic long enough. */
async function reader(log) {
  await log.createTopic("in");
  await log.producer({ key: utf8, value: bytes }).sendBatch(someRecords("in", 10_000, 100));
  const consumer = log.consumer({ groupId: "g", enableAutoCommit: false, value: bytes });
  await consumer.assign([{ topic: "in", partition: 0 }]);
  return consumer;
}
