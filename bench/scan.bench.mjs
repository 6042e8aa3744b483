/**
 * How fast are records read by `batches()`, warm, a byte of each key and value looked at, beside the bare loop that reads 1 MiB into fresh
 * memory and makes two views per record? Decoded values are in records.bench.mjs.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { bytes } from "odradek";
import { filledLog } from "./harness/filled-log.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;

for (const [label, valueByteLength, total] of [
  ["100 B", 100, quick ? 100_000 : 1_000_000],
  ["1 KiB", 1024, quick ? 20_000 : 200_000],
]) {
  const { directory, log } = await filledLog(total, bytes, someRecords("t", BATCH, valueByteLength));
  const rawDirectory = freshDirectory("raw");
  const framed = framedByteLength(valueByteLength);
  const perBlock = Math.floor((1024 * 1024) / framed);
  const file = openSync(join(rawDirectory, "raw"), "w+");
  const block = new Uint8Array(perBlock * framed).fill(7);
  for (let at = 0; at < total; at += perBlock) writeSync(file, block);
  let sum = 0;
  await race({
    name: `scan by batches(), ${label} values`,
    unit: "records/s",
    against: "read of 1 MiB into fresh memory, two views a record",
    budget: { ratio: 0.5 },
    ours: async () => {
      const consumer = log.consumer({ key: bytes, value: bytes });
      await consumer.assign([{ topic: "t", partition: 0 }]);
      let seen = 0;
      const took = await seconds(async () => {
        for await (const batch of consumer.batches({ until: "end" })) {
          for (const record of batch) {
            sum += record.key[0] + record.value[0];
            seen += 1;
          }
        }
      });
      await consumer.close();
      if (seen !== total) throw new Error(`expected ${total} records, saw ${seen}`);
      return total / took;
    },
    raw: async () => {
      const took = await seconds(async () => {
        for (let seen = 0, at = 0; seen < total; seen += perBlock, at += block.length) {
          const fresh = new Uint8Array(block.length);
          readSync(file, fresh, 0, fresh.length, at);
          for (let record = 0, start = 0; record < perBlock; record += 1, start += framed) {
            const key = fresh.subarray(start + 8, start + 24);
            const value = fresh.subarray(start + 24, start + 24 + valueByteLength);
            sum += key[0] + value[0];
          }
        }
      });
      return total / took;
    },
  });
  closeSync(file);
  await log.close();
  remove(directory);
  remove(rawDirectory);
  if (sum === 0) throw new Error("nothing was looked at");
}
