/**
 * How late do timers come while records are appended in bulk, and while a gibibyte is retained away? Beside a loop of raw writes of the
 * same bytes that gives up its turn after each megabyte. What compaction does to the loop is in compaction.bench.mjs.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, report, told } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";
import { sparseStorage } from "./harness/sparse-storage.mjs";

const LAP_MS = quick ? 250 : 500;
const ROUNDS = quick ? 3 : 11;
const BATCH = 1000;
const MIB = 1 << 20;
const FILE_BYTES_MAX = 512e6;

const directory = freshDirectory("event-loop");
const log = await open(join(directory, "log"));
await log.createTopic("t", { durability: "os", retentionBytes: FILE_BYTES_MAX, segmentBytes: 128 * MIB });
const producer = log.producer({ key: utf8, value: bytes });
const records = someRecords("t", BATCH, 100);
const file = openSync(join(directory, "raw"), "w");
const block = new Uint8Array(BATCH * framedByteLength(100)).fill(7);
let end = 0;

async function delayed(work) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  for (const until = performance.now() + LAP_MS; performance.now() < until; ) await work();
  delay.disable();
  return { p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6 };
}

// No turn is given up here: what keeps timers coming is the producer's own doing.
const append = () => producer.sendBatch(records);
const writeRaw = async () => {
  if (end > FILE_BYTES_MAX) {
    ftruncateSync(file, 0);
    end = 0;
  }
  for (const until = end + MIB; end < until; ) end += writeSync(file, block, 0, block.length, end);
  await new Promise(setImmediate);
};
for (let sent = 0; sent < 200; sent += 1) await append();
const laps = { ours: [], raw: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  laps.ours.push(await delayed(append));
  await log.maintain();
  laps.raw.push(await delayed(writeRaw));
}
for (const share of ["p50", "p99"]) {
  told({
    name: `event-loop delay in bulk append, ${share}`,
    unit: "ms",
    better: "lower",
    against: "raw writes of the same bytes, a turn given up for each MiB",
    budget: share === "p99" ? { atMost: 5 } : undefined,
    figures: { ours: laps.ours.map((lap) => lap[share]), raw: laps.raw.map((lap) => lap[share]) },
  });
}
await log.close();
closeSync(file);
remove(directory);

// Retention: what is deleted is a gibibyte in eight of nine segments. Its bytes are zeros, and stand on the disk as holes: see sparse-storage.
const segmentBytes = quick ? 16 * MIB : 128 * MIB;
const total = 9 * segmentBytes;
const kept = freshDirectory("retention");
const old = await open({ storage: sparseStorage(kept) });
await old.createTopic("t", { durability: "os", segmentBytes });
const zeros = Array.from({ length: 8 }, () => ({ topic: "t", key: null, value: new Uint8Array(MIB - 200) }));
const filler = old.producer({ key: utf8, value: bytes });
for (let sent = 0; sent < total; sent += 8 * MIB) await filler.sendBatch(zeros);
await old.alterTopic("t", { retentionBytes: segmentBytes });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
await new Promise((resolve) => setTimeout(resolve, 20));
const { segmentsDeleted, bytesReclaimed } = await old.maintain();
await new Promise((resolve) => setTimeout(resolve, 20));
delay.disable();
if (segmentsDeleted < 6) throw new Error(`expected six segments and more to be deleted, found ${segmentsDeleted}`);
for (const share of [50, 99]) {
  report({
    name: `event-loop delay while ${Math.round(bytesReclaimed / MIB)} MiB are retained away, p${share}`,
    value: delay.percentile(share) / 1e6,
    unit: "ms",
    rounds: 1,
    budget: share === 99 ? { atMost: 20 } : undefined,
  });
}
await old.close();
remove(kept);
