/**
 * How fast is `log.read` of a record by its offset, warm and from the disk, beside a raw 4 KiB pread of the same file in the same state?
 * Two lanes stand beside the batches of one record: a pread of the batch, its check and its record; and the record alone, out of memory.
 * "From the disk" means that the system was asked to forget the file's pages before the lap; what the disk itself keeps is not seen.
 */
import { spawnSync } from "node:child_process";
import { closeSync, fdatasyncSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { onlyRecord, readBatch } from "./harness/bare-loop.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const READS = quick ? 4_000 : 50_000;
for (const [label, perBatch, total, share, budget, isCold] of [
  ["single-record batches", 1, quick ? 4_000 : 20_000, 1, { ratio: 0.7 }],
  // 6 MB: they stay in the reader's cache of 8 MiB once they were read.
  ["batches of 1,000 in the cache", 1000, 50_000, 1, { atLeast: 350_000 }],
  ["batches of 1,000 beyond the cache", 1000, 400_000, 0.1, { atLeast: 30_000 }],
  ["batches of 1,000, from the disk", 1000, 400_000, 0.004, undefined, true],
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
  const reads = Math.ceil(READS * share);
  const forget = () => {
    if (!isCold) return;
    // dd asks the system to drop the pages of what it would read, which is nothing: the whole file's.
    const { status } = spawnSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
    if (status !== 0) throw new Error("dd could not make the system forget the file");
  };
  if (isCold) fdatasyncSync(file);
  let seed = 1;
  await race({
    name: `read by offset, ${label}`,
    unit: "reads/s",
    against: isCold ? "pread of 4 KiB, from the disk" : "pread of 4 KiB",
    budget,
    ours: async () => {
      forget();
      seed += 2;
      let random = seed;
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
      forget();
      seed += 2;
      let random = seed;
      const page = new Uint8Array(4096);
      const count = isCold ? reads : READS;
      const took = await seconds(async () => {
        for (let read = 0; read < count; read += 1) {
          random = (Math.imul(random, 1103515245) + 12345) >>> 0;
          readSync(file, page, 0, 4096, random % Math.max(1, byteLength - 4096));
        }
      });
      return count / took;
    },
    limits: perBatch === 1 ? lanesOf(file, path, total) : [],
  });
  closeSync(file);
  await log.close();
  remove(directory);
}

/** All batches are of one record and of one length, so that nothing is looked for. What `take` answers is awaited, as a caller awaits it. */
function lanesOf(file, path, total) {
  const stored = readFileSync(path);
  const step = statSync(path).size / total;
  if (!Number.isInteger(step)) throw new Error(`expected ${total} batches of one length, found ${stored.length} bytes`);
  const lapOf = (take) => async () => {
    let random = 7;
    const took = await seconds(async () => {
      for (let read = 0; read < READS; read += 1) {
        random = (Math.imul(random, 1103515245) + 12345) >>> 0;
        const index = random % total;
        const found = await take(index);
        if (found.offset !== index) throw new Error(`expected the record ${index}, found ${found.offset}`);
      }
    });
    return READS / took;
  };
  return [
    {
      // What no reader that keeps anything in memory has to do: it is told, and limits nothing.
      name: "a pread for each",
      isLimit: false,
      does: "a pread of the batch, whose place is known; its checksum; its key as text, its value copied, in a promise",
      lap: lapOf(async (index) => onlyRecord(readBatch(file, index * step, step))),
    },
    {
      name: "the answer alone",
      does: "the batch lies in memory and its place is known: its key as text, its value copied, in a promise",
      lap: lapOf(async (index) => onlyRecord(stored, index * step)),
    },
  ];
}
