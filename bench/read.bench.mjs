/** How fast is `log.read` of a record by its offset, warm, beside a raw 4 KiB pread of the same file? */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const READS = quick ? 10_000 : 50_000;
for (const [label, perBatch, total] of [
  ["single-record batches", 1, 20_000],
  // 6 MB: they stay in the reader's cache of 8 MiB once they were read.
  ["batches of 1,000 in the cache", 1000, 50_000],
  ["batches of 1,000 beyond the cache", 1000, 400_000],
]) {
  const directory = freshDirectory("read");
  const log = await open(directory);
  await log.createTopic("t", { durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", perBatch, 100);
  for (let sent = 0; sent < total; sent += perBatch) await producer.sendBatch(records);
  const segment = readdirSync(join(directory, "t-0")).find((name) => name.endsWith(".log"));
  const path = join(directory, "t-0", segment);
  const file = openSync(path, "r");
  const byteLength = statSync(path).size;
  await race({
    name: `read by offset, ${label}`,
    unit: "reads/s",
    ours: async () => {
      let random = 1;
      const reads = label.endsWith("beyond the cache") ? READS / 10 : READS;
      const took = await seconds(async () => {
        for (let read = 0; read < reads; read += 1) {
          random = (Math.imul(random, 1103515245) + 12345) >>> 0;
          const found = await log.read({ topic: "t", partition: 0, offset: random % total }, { key: utf8, value: bytes });
          if (found === null) throw new Error("a record was not found");
        }
      });
      return reads / took;
    },
    raw: async () => {
      let random = 1;
      const page = new Uint8Array(4096);
      const took = await seconds(async () => {
        for (let read = 0; read < READS; read += 1) {
          random = (Math.imul(random, 1103515245) + 12345) >>> 0;
          readSync(file, page, 0, 4096, random % Math.max(1, byteLength - 4096));
        }
      });
      return READS / took;
    },
  });
  closeSync(file);
  await log.close();
  remove(directory);
}
