/**
 * What can this machine's disk and memory do by themselves? Nothing of ours runs here: every other figure is a share of one of these.
 * The page cache takes the writes that are not flushed; whether the disk keeps a flush through a loss of power is not seen.
 */
import { writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, percentile, quick, report } from "./harness/race.mjs";
import { flushedWrite, memcpy, sequentialRead, sequentialWrite } from "./harness/raw-file.mjs";

const ROUNDS = quick ? 3 : 11;
const BYTES = quick ? 32e6 : 256e6;
const FLUSHED_BYTES = quick ? 2e6 : 16e6;
const FLUSHES = quick ? 60 : 400;

const directory = freshDirectory("limits");
const figures = { write: [], flushed: [], read: [], memcpy: [] };
const path = join(directory, "read");
{
  const file = await open(path, "w");
  for (let at = 0; at < BYTES; at += 1 << 20) writeSync(file.fd, new Uint8Array(1 << 20).fill(7));
  await file.close();
}
for (let round = -1; round < ROUNDS; round += 1) {
  const lap = {
    write: sequentialWrite(directory, BYTES),
    flushed: await flushedWrite(directory, FLUSHED_BYTES, 128 * 1024),
    read: sequentialRead(path),
    memcpy: memcpy(BYTES),
  };
  if (round >= 0) for (const [kind, speed] of Object.entries(lap)) figures[kind].push(speed);
}
for (const [kind, name] of [
  ["write", "sequential write, 128 KiB at a time"],
  ["flushed", "write + fdatasync, 128 KiB each"],
  ["read", "sequential read, 1 MiB at a time, warm"],
  ["memcpy", "memcpy, 1 MiB at a time"],
]) {
  const all = figures[kind];
  report({
    name,
    value: median(all),
    unit: "B/s",
    rounds: ROUNDS,
    spread: [Math.min(...all) / median(all), Math.max(...all) / median(all)],
  });
}

for (const [label, isZeroFilled] of [
  ["a growing file", false],
  ["a zero-filled file", true],
]) {
  const file = await open(join(directory, "flush"), "w");
  const page = new Uint8Array(132).fill(7);
  if (isZeroFilled) {
    writeSync(file.fd, new Uint8Array(FLUSHES * page.length + (1 << 20)), 0, FLUSHES * page.length + (1 << 20), 0);
    await file.sync();
  }
  const laps = [];
  for (let at = 0; at < FLUSHES; at += 1) {
    const started = performance.now();
    writeSync(file.fd, page, 0, page.length, at * page.length);
    await file.datasync();
    laps.push(performance.now() - started);
  }
  await file.close();
  for (const share of [0.5, 0.99])
    report({ name: `132 B + fdatasync, ${label}, p${share * 100}`, value: percentile(laps, share), unit: "ms", rounds: FLUSHES });
}
remove(directory);
