/**
 * How fast do records get through the face onto an "os" topic, beside raw writes of the same bytes in 128 KiB blocks?
 * And how fast is the bare loop, the core's encoding and a write, which nobody who writes this format can do without?
 * Laps are short and take turns; the files grow and are now and then begun anew, which is not timed.
 * Not answered: durable appends (append-durable), many partitions, other serdes.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { appendBatch, batchesOf } from "./harness/bare-loop.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
const BLOCK = new Uint8Array(128 * 1024).fill(7);
/** The same for all: a system that is busy interrupts long laps and lets short ones pass. */
const LAP_SECONDS = 0.04;
/**
 * Beyond this a file is begun anew: every flush that the engine owes after 64 MiB has its part in some lap. Larger files measure something
 * else on a virtual machine: a page that it has to ask its host for first costs four times what a write into one that it has does.
 */
const FILE_BYTES_MAX = 100e6;
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
  const bareBatches = batchesOf(records);
  let ours = 0;
  let raw = 0;
  let bare = 0;
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
    ],
  });
  closeSync(file);
  closeSync(bareFile);
  await log.close();
  remove(directory);
}
