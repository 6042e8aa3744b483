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

/** What one maintenance of a copy of the log did, and how long processors worked for it, other threads and the system's part included. */
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
  const before = process.cpuUsage();
  await log.maintain();
  const { user, system } = process.cpuUsage(before);
  await log.close();
  remove(directory);
  return { ...told, processorMs: (user + system) / 1000 };
}

function copyRaw(template, into) {
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
  return byteLength;
}

const total = quick ? 200_000 : 1_000_000;
for (const [label, keyCount] of [
  ["one record in five stays", total / 5],
  ["three in five stay", total],
]) {
  const template = await filled(total, keyCount, 16 * MIB);
  const laps = [];
  await race({
    name: `compaction, 100 B values, ${label}`,
    unit: "bytes/s",
    ours: async (round) => {
      const told = await clean(template);
      if (round >= 0) laps.push(told);
      return (told.bytesBefore / told.durationMs) * 1000;
    },
    raw: async () => {
      const into = freshDirectory("raw");
      let byteLength = 0;
      const took = await seconds(async () => {
        byteLength = copyRaw(template, into);
      });
      remove(into);
      return byteLength / took;
    },
  });
  const rounds = laps.length;
  const perSecond = (figures) => median(figures) * 1000;
  report({
    name: `  records, ${label}`,
    value: perSecond(laps.map((lap) => lap.recordsBefore / lap.durationMs)),
    unit: "records/s",
    rounds,
  });
  // On a machine with other work the clock tells of that work.
  report({
    name: "  of a processor's second",
    value: perSecond(laps.map((lap) => lap.bytesBefore / lap.processorMs)),
    unit: "bytes/s",
    rounds,
  });
  remove(template);
}

const large = await filled(quick ? 300_000 : 8_000_000, quick ? 60_000 : 600_000, (quick ? 8 : 128) * MIB);
const rounds = quick ? 1 : 3;
const laps = [];
for (let round = 0; round < rounds; round += 1) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const told = await clean(large, () => delay.enable());
  delay.disable();
  laps.push({ ...told, p99Ms: delay.percentile(99) / 1e6, longestMs: delay.max / 1e6 });
}
const of = (figure) => median(laps.map(figure));
const label = `${Math.round(laps[0].bytesBefore / MIB)} MiB`;
report({ name: `event loop delay while ${label} are compacted, p99`, value: of((lap) => lap.p99Ms), unit: "ms", rounds });
report({ name: "  the longest", value: of((lap) => lap.longestMs), unit: "ms", rounds });
report({ name: `  meanwhile, ${label}`, value: of((lap) => (lap.bytesBefore / lap.durationMs) * 1000), unit: "bytes/s", rounds });
report({ name: "  of a processor's second", value: of((lap) => (lap.bytesBefore / lap.processorMs) * 1000), unit: "bytes/s", rounds });
remove(large);
