/** How long does one durable send take, and how many do sixty-four senders get through, beside the raw loop of the same appends? */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const SINGLE = quick ? 200 : 1000;
const CONCURRENT = 64;
const TURNS = quick ? 100 : 500;
const [record] = someRecords("t", 1, 100);
const single = 61 + framedByteLength(100);

async function withLog(run, partitions = 1) {
  const directory = freshDirectory("send");
  const log = await open(directory);
  await log.createTopic("t", { partitions });
  const figure = await run(log.producer({ key: utf8, value: bytes }));
  await log.close();
  remove(directory);
  return figure;
}

async function withFiles(count, run) {
  const directory = freshDirectory("raw");
  const files = await Promise.all(Array.from({ length: count }, (_, index) => openFile(join(directory, `raw-${index}`), "w")));
  const figure = await run(files);
  for (const file of files) await file.close();
  remove(directory);
  return figure;
}

await race({
  name: "one durable send at a time, p50",
  unit: "ms",
  better: "lower",
  ours: () =>
    withLog(async (producer) => {
      const laps = [];
      for (let sent = 0; sent < SINGLE; sent += 1) laps.push((await seconds(() => producer.send(record))) * 1000);
      return median(laps);
    }),
  raw: () =>
    withFiles(1, async ([file]) => {
      const block = new Uint8Array(single);
      const laps = [];
      for (let sent = 0; sent < SINGLE; sent += 1) {
        laps.push(
          (await seconds(async () => {
            writeSync(file.fd, block, 0, single, sent * single);
            await file.datasync();
          })) * 1000,
        );
      }
      return median(laps);
    }),
});

for (const partitions of [1, 12]) {
  await race({
    name: `64 senders, durable, ${partitions} partition${partitions === 1 ? "" : "s"}`,
    unit: "sends/s",
    ours: () =>
      withLog(async (producer) => {
        const sender = async (index) => {
          for (let turn = 0; turn < TURNS; turn += 1) await producer.send({ ...record, partition: index % partitions });
        };
        const took = await seconds(() => Promise.all(Array.from({ length: CONCURRENT }, (_, index) => sender(index))));
        return (CONCURRENT * TURNS) / took;
      }, partitions),
    raw: () =>
      // The same appends: each file gets its senders' records in one write and one flush a turn, all files' flushes in flight at once.
      withFiles(partitions, async (files) => {
        const block = new Uint8Array(61 + Math.ceil(CONCURRENT / partitions) * framedByteLength(100));
        const took = await seconds(() =>
          Promise.all(
            files.map(async (file) => {
              for (let turn = 0; turn < TURNS; turn += 1) {
                writeSync(file.fd, block, 0, block.length, turn * block.length);
                await file.datasync();
              }
            }),
          ),
        );
        return (CONCURRENT * TURNS) / took;
      }),
  });
}
