/**
 * How long does `open` take when a million records lie in one partition, and when there are many partitions? There is no raw loop
 * beside it: the budget is 10 ms for a million records, and that it grows with partitions, never with bytes.
 * Not answered: a directory that was not closed in order, and loading the module.
 */
import { performance } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, quick, report } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const BATCH = 1000;
const ROUNDS = quick ? 5 : 15;
for (const [name, partitions, total] of [
  ["open, 1 partition, 10,000 records", 1, 10_000],
  ["open, 1 partition, 1 M records", 1, 1_000_000],
  ["open, 100 partitions, 100,000 records", 100, 100_000],
]) {
  const directory = freshDirectory("open");
  const log = await open(directory);
  await log.createTopic("t", { partitions, durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  for (let sent = 0; sent < total; sent += BATCH) await producer.sendBatch(someRecords("t", BATCH, 100, (sent / BATCH) % partitions));
  await log.close();
  const laps = [];
  for (let round = -2; round < ROUNDS; round += 1) {
    const started = performance.now();
    const opened = await open(directory);
    if (round >= 0) laps.push(performance.now() - started);
    const [first, last] = [0, Math.floor(total / partitions) - 1];
    for (const offset of [first, last]) {
      if ((await opened.read({ topic: "t", partition: 0, offset }, { key: utf8, value: bytes })) === null)
        throw new Error(`no record ${offset}`);
    }
    await opened.close();
  }
  report({ name, value: median(laps), unit: "ms", rounds: ROUNDS });
  remove(directory);
}
