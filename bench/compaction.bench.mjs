/**
 * How fast is a compacted topic cleaned, beside copying the same bytes raw? And how long is the event loop held up meanwhile?
 * Not answered: a log so cold that the disk sets the pace, and maps that take more than one round.
 */
import { closeSync, cpSync, fsyncSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, quick, race, report, seconds } from "./harness/race.mjs";

const BATCH = 1000;
const VALUE_BYTE_LENGTH = 100;
const MIB = 1024 * 1024;

/** The same number for the same index, and none that its neighbours tell of. */
function scattered(index) {
  const mixed = Math.imul(index ^ (index >>> 15), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) >>> 0;
}

/** A log, closed, of `total` records over `keyCount` keys in a fixed disorder. */
async function filled(total, keyCount, segmentBytes) {
  const directory = freshDirectory("compaction");
  const log = await open(directory);
  await log.createTopic("t", { cleanupPolicy: "compact", durability: "os", segmentBytes });
  const producer = log.producer({ key: utf8, value: bytes });
  const value = new Uint8Array(VALUE_BYTE_LENGTH).fill(97);
  let next = 0;
  for (let sent = 0; sent < total; sent += BATCH) {
    await producer.sendBatch(
      Array.from({ length: BATCH }, () => {
        next += 1;
        return { topic: "t", key: `key-${String(scattered(next) % keyCount).padStart(12, "0")}`, value };
      }),
    );
  }
  await log.close();
  return directory;
}

/** What one maintenance of a copy of the log did. */
async function clean(template, onOpen = () => {}) {
  const directory = freshDirectory("lap");
  cpSync(template, directory, { recursive: true });
  let told = null;
  const log = await open(directory, {
    onEvent: (event) => {
      if (event.type === "log.compacted") told = event;
    },
  });
  onOpen();
  await log.maintain();
  await log.close();
  remove(directory);
  return told;
}

function copyRaw(template) {
  const into = freshDirectory("raw");
  const from = join(template, "t-0");
  const block = new Uint8Array(MIB);
  let byteLength = 0;
  // The last one is active, and not compacted.
  const names = readdirSync(from)
    .filter((name) => name.endsWith(".log"))
    .sort();
  for (const name of names.slice(0, -1)) {
    const source = openSync(join(from, name), "r");
    const target = openSync(join(into, name), "w");
    for (let at = 0; at < statSync(join(from, name)).size; ) {
      const count = readSync(source, block, 0, block.length, at);
      writeSync(target, block, 0, count, at);
      at += count;
      byteLength += count;
    }
    fsyncSync(target);
    closeSync(source);
    closeSync(target);
  }
  remove(into);
  return byteLength;
}

const total = quick ? 300_000 : 1_000_000;
for (const [label, keyCount] of [
  ["one record in five stays", total / 5],
  ["three in five stay", total],
]) {
  const template = await filled(total, keyCount, 16 * MIB);
  const recordRates = [];
  await race({
    name: `compaction, 100 B values, ${label}`,
    unit: "bytes/s",
    ours: async (round) => {
      const told = await clean(template);
      if (round >= 0) recordRates.push((told.recordsBefore / told.durationMs) * 1000);
      return (told.bytesBefore / told.durationMs) * 1000;
    },
    raw: async () => {
      let byteLength = 0;
      const took = await seconds(async () => {
        byteLength = copyRaw(template);
      });
      return byteLength / took;
    },
  });
  report({ name: `  records, ${label}`, value: median(recordRates), unit: "records/s", rounds: recordRates.length });
  remove(template);
}

const large = await filled(quick ? 1_000_000 : 8_000_000, quick ? 200_000 : 600_000, (quick ? 32 : 128) * MIB);
const delay = monitorEventLoopDelay({ resolution: 1 });
const told = await clean(large, () => delay.enable());
delay.disable();
const label = `${Math.round(told.bytesBefore / MIB)} MiB`;
report({ name: `event loop delay while ${label} are compacted, p99`, value: delay.percentile(99) / 1e6, unit: "ms", rounds: 1 });
report({ name: "  the longest", value: delay.max / 1e6, unit: "ms", rounds: 1 });
report({ name: `  meanwhile, ${label}`, value: (told.bytesBefore / told.durationMs) * 1000, unit: "bytes/s", rounds: 1 });
remove(large);
