/** How costs grow with the partitions of one topic, each of which holds one record. */
import { bytes, open, utf8 } from "odradek";
import { heldMiB, medianCallUs, medianMs, openAndClose, scattered } from "../harness/laps.mjs";
import { freshDirectory, remove } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";
import { sequentialWrite } from "../harness/raw-file.mjs";

const SENDS = quick ? 20 : 200;
const ROUNDS = quick ? 3 : 7;
const RECORD_BYTE_LENGTH = 185;

export const axis = "partitions";
/** Ten thousand directories are made, opened and closed. */
export const secondsMax = 120;
export const points = { full: [1, 10, 100, 1_000, 10_000], quick: [1, 10] };
export const series = {
  "create the topic": { unit: "ms", expected: "linear" },
  "first record in each": { unit: "ms", expected: "linear" },
  "send to any": { unit: "µs", expected: "constant", against: "write of the same bytes" },
  "read all": { unit: "ms", expected: "linear" },
  open: { unit: "ms", expected: "linear" },
  close: { unit: "ms", expected: "linear" },
  "anonymous memory": { unit: "MiB", expected: "linear" },
};

export async function visit(partitions, tell) {
  const directory = freshDirectory("growth");
  const log = await open(directory);
  const records = Array.from({ length: partitions }, (_, partition) => ({
    topic: "t",
    partition,
    key: "key-000000000001",
    value: new Uint8Array(100).fill(97),
  }));
  tell("create the topic", await timed(() => log.createTopic("t", { durability: "os", partitions })));
  const producer = log.producer({ key: utf8, value: bytes });
  tell("first record in each", await timed(() => producer.sendBatch(records)));
  const any = scattered(partitions);
  const sendUs = await medianCallUs(ROUNDS, SENDS, () => producer.send(records[any()]));
  const rawMs = await medianMs(ROUNDS, () => {
    for (let sent = 0; sent < SENDS; sent += 1) sequentialWrite(directory, RECORD_BYTE_LENGTH);
  });
  tell("send to any", sendUs, (rawMs * 1000) / SENDS, ROUNDS);
  const consumer = log.consumer({ key: bytes, value: bytes });
  const readMs = await medianMs(quick || partitions >= 1_000 ? 1 : 3, async () => {
    await consumer.assign(records.map(({ topic, partition }) => ({ topic, partition, offset: 0 })));
    for (const { topic, partition } of records) consumer.seek({ topic, partition }, "earliest");
    const seen = new Set();
    for await (const batch of consumer.batches({ until: "end" })) seen.add(batch.partition);
    if (seen.size !== partitions) throw new Error(`expected records of ${partitions} partitions, saw ${seen.size}`);
  });
  tell("read all", readMs, null, 3);
  await consumer.close();
  await log.close();
  const { openMs, closeMs } = await openAndClose(directory, partitions < 1_000 ? ROUNDS : 1);
  tell("open", openMs, null, ROUNDS);
  tell("close", closeMs, null, ROUNDS);
  tell("anonymous memory", heldMiB(directory));
  remove(directory);
}

async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
