/**
 * How long does `open` take when a million records lie in one partition, when there are ten gibibytes, and when there are many
 * partitions? Beside it: the one-shot program that takes the lock, and a read of the small files that an opening must read.
 * Not answered: a directory that was not closed in order (recovery.bench.mjs), and loading the module.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { open as openHandle } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { largeLog } from "./harness/large-log.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const BATCH = 1000;
const GIBIBYTES = quick ? 0.25 : 10;
/** Beyond this a file is a segment, of which an opening looks at the length alone. */
const SMALL_BYTES_MAX = 1 << 20;

const BARE =
  "the lock; an instance of the core; the small files read; the mark of a clean close removed and its directory flushed; each partition's state, log and indexes opened to be written";
/** What of a partition is open for writing while its log is. */
const WRITTEN = /^odradek\.state$|\.(?:log|index|timeindex)$/;
const coreModule = new WebAssembly.Module(readFileSync(new URL("../dist/core.wasm", import.meta.url)));

/** `[name, directory, last offset of partition 0, budget]` */
const directories = [
  ["open, 1 partition, 10,000 records", await filled(1, 10_000), 9_999],
  ["open, 1 partition, 1 M records", await filled(1, quick ? 200_000 : 1_000_000), (quick ? 200_000 : 1_000_000) - 1, { atMost: 10 }],
  [`open, 1 partition, ${GIBIBYTES} GiB`, await largeLog(GIBIBYTES), GIBIBYTES * 1024 - 1, { atMost: 30 }],
  quick
    ? ["open, 10 partitions, 10,000 records", await filled(10, 10_000), 999]
    : ["open, 100 partitions, 100,000 records", await filled(100, 100_000), 999],
];
for (const [name, directory, last, budget] of directories) {
  await race({
    name,
    unit: "ms",
    better: "lower",
    against: "a child process for the lock, and a read of the small files",
    budget,
    rounds: quick ? 5 : 15,
    ours: async () => {
      const started = performance.now();
      const log = await open(directory);
      const took = performance.now() - started;
      for (const offset of [0, last]) {
        if ((await log.read({ topic: "t", partition: 0, offset }, { key: utf8, value: bytes })) === null)
          throw new Error(`${name}: no record ${offset}`);
      }
      await log.close();
      return took;
    },
    raw: async () => {
      const started = performance.now();
      const lock = lockIn(directory);
      readSmallFiles(directory);
      closeSync(lock);
      return performance.now() - started;
    },
    limits: [
      {
        name: "its lock alone",
        does: "the child process that takes the lock",
        isPart: true,
        lap: async () => {
          const started = performance.now();
          closeSync(lockIn(directory));
          return performance.now() - started;
        },
      },
      { name: "bare opening", does: BARE, lap: () => openedBarely(directory) },
    ],
  });
  if (!name.includes("GiB")) remove(directory);
}

function lockIn(directory) {
  const lock = openSync(join(directory, ".bench-lock"), "w");
  spawnSync("/usr/bin/flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] });
  return lock;
}

function readSmallFiles(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    for (const file of entry.isDirectory() ? readdirSync(path).map((each) => join(path, each)) : [path])
      if (statSync(file).size <= SMALL_BYTES_MAX) readFileSync(file);
  }
}

/** No code of ours: the system calls of an opening that nobody can leave out who does its work. */
async function openedBarely(directory) {
  const mark = join(directory, ".bench-mark");
  writeFileSync(mark, "");
  const started = performance.now();
  const lock = lockIn(directory);
  new WebAssembly.Instance(coreModule, {});
  readSmallFiles(directory);
  unlinkSync(mark);
  const handle = await openHandle(directory, "r");
  await handle.sync();
  const handles = [handle];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    const names = readdirSync(path).filter((each) => WRITTEN.test(each));
    // The newest segment's alone, as `open` does it.
    for (const name of names.sort().slice(-4)) handles.push(await openHandle(join(path, name), "r+"));
  }
  const took = performance.now() - started;
  for (const each of handles) await each.close();
  closeSync(lock);
  return took;
}

async function filled(partitions, total) {
  const directory = freshDirectory("open");
  const log = await open(directory);
  await log.createTopic("t", { partitions, durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  for (let sent = 0; sent < total; sent += BATCH) await producer.sendBatch(someRecords("t", BATCH, 100, (sent / BATCH) % partitions));
  await log.close();
  return directory;
}
