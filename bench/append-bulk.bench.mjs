/**
 * How fast do records get through the face onto an "os" topic, beside raw writes of the same bytes in 128 KiB blocks?
 * And how fast is the bare loop, the core's encoding and a write, which nobody who writes this format can do without, by itself and with a
 * flush that follows it, which C7 and a quiet event loop ask for?
 * Laps are short and take turns; the files grow and are now and then begun anew, which is not timed.
 * Not answered: durable appends (append-durable), many partitions, other serdes.
 */
import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { bytes, open, utf8 } from "odradek";
import { appendBatch, batchesOf } from "./harness/bare-loop.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
/** A flush that nobody waits for begins when so much is unflushed and none is under way: see src/log/append/flush-policy.ts. */
const FLUSHED_BYTES = 4 * 1024 * 1024;
/** Then the engine gives up its turn, so that timers come, and the flush's end is heard of: see src/base/turn.ts. */
const TURN_MS = 1;
const BLOCK = new Uint8Array(128 * 1024).fill(7);
/** The same for all: a system that is busy interrupts long laps and lets short ones pass. */
const LAP_SECONDS = 0.04;
/**
 * Beyond this a file is begun anew. Larger files measure something
 * else on a virtual machine: a page that it has to ask its host for first costs four times what a write into one that it has does.
 */
const FILE_BYTES_MAX = 100e6;
const datasync = promisify(fdatasync);
for (const [label, valueByteLength, ratio] of [
  ["100 B", 100, 0.2],
  ["1 KiB", 1024, 0.7],
]) {
  const directory = freshDirectory("append");
  const log = await open(join(directory, "log"));
  const begin = () => log.createTopic("t", { durability: "os" });
  await begin();
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", BATCH, valueByteLength);
  const file = openSync(join(directory, "raw"), "w");
  const batchByteLength = BATCH * framedByteLength(valueByteLength);
  const bareFile = openSync(join(directory, "bare"), "w");
  const flushedFile = openSync(join(directory, "flushed"), "w");
  const bareBatches = batchesOf(records);
  let ours = 0;
  let raw = 0;
  let bare = 0;
  let flushed = 0;
  let flushedEnd = 0;
  let flushing = null;
  let turnedAt = 0;
  const lapOf = async (append) => {
    let batches = 0;
    let took = 0;
    for (const started = performance.now(); took < LAP_SECONDS; took = (performance.now() - started) / 1000) {
      await append();
      batches += 1;
    }
    return (batches * BATCH) / took;
  };
  await race({
    name: `bulk append, ${label} values`,
    unit: "records/s",
    against: "sequential write, 128 KiB at a time",
    budget: { ratio },
    rounds: quick ? 21 : 61,
    ours: async () => {
      if (ours > FILE_BYTES_MAX) {
        await log.deleteTopic("t");
        await begin();
        ours = 0;
      }
      return await lapOf(() => {
        ours += batchByteLength;
        return producer.sendBatch(records);
      });
    },
    raw: async () => {
      if (raw > FILE_BYTES_MAX) {
        ftruncateSync(file, 0);
        raw = 0;
      }
      return await lapOf(() => {
        const end = raw + batchByteLength;
        while (raw < end) raw += writeSync(file, BLOCK, 0, Math.min(BLOCK.length, end - raw), raw);
      });
    },
    limits: [
      {
        name: "bare loop",
        does: "the same records, already bytes, framed and summed by the core in the same batches, a write each",
        lap: async () => {
          if (bare > FILE_BYTES_MAX) {
            ftruncateSync(bareFile, 0);
            bare = 0;
          }
          return await lapOf(() => {
            for (const batch of bareBatches) bare += appendBatch(bareFile, batch, bare);
          });
        },
      },
      {
        name: "bare loop with a flush behind",
        does: "the same, a flush that nobody waits for follows the writer, 4 MiB or more at a time, and a turn is given up each millisecond",
        lap: async () => {
          await flushing;
          if (flushed > FILE_BYTES_MAX) {
            ftruncateSync(flushedFile, 0);
            flushed = flushedEnd = 0;
          }
          return await lapOf(() => {
            for (const batch of bareBatches) flushed += appendBatch(flushedFile, batch, flushed);
            if (flushing === null && flushed - flushedEnd >= FLUSHED_BYTES) {
              flushedEnd = flushed;
              flushing = datasync(flushedFile).finally(() => {
                flushing = null;
              });
            }
            if (performance.now() - turnedAt < TURN_MS) return null;
            return new Promise(setImmediate).then(() => {
              turnedAt = performance.now();
            });
          });
        },
      },
    ],
  });
  closeSync(file);
  await flushing;
  closeSync(bareFile);
  closeSync(flushedFile);
  await log.close();
  remove(directory);
}
