/**
 * How long does `open` take after the process was killed, beside a read of the same segments? The most that may lie beyond the recovery
 * point is 64 MiB a partition; each lap opens a copy of what a killed process left.
 * Not answered: cold files, and a loss of power, after which there is less to read, never more.
 */
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race } from "./harness/race.mjs";
import { sequentialRead } from "./harness/raw-file.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
const [, self, mode, directory, total, partitions, durability] = process.argv;
if (mode === "write") await child(directory, Number(total), Number(partitions), durability);
else await parent();

async function parent() {
  // 60 MB: just below the point where the engine notes down how far all is well.
  const most = Math.floor(60e6 / framedByteLength(100) / BATCH) * BATCH;
  for (const [name, records, ofPartitions, kind] of [
    ["recovery, 60 MB beyond the recovery point", quick ? 20_000 : most, 1, "os"],
    ["recovery, the same, durable", quick ? 10_000 : 200_000, 1, "sync"],
    quick ? ["recovery, 10 partitions", 10_000, 10, "os"] : ["recovery, 100 partitions", 100_000, 100, "os"],
  ]) {
    const template = freshDirectory("recovery");
    const run = spawnSync(process.execPath, [self ?? "", "write", template, String(records), String(ofPartitions), kind], {
      encoding: "utf8",
    });
    if (run.signal !== "SIGKILL") throw new Error(`${fileURLToPath(import.meta.url)} write: ${run.stderr}`);
    await race({
      name,
      unit: "ms",
      better: "lower",
      against: "sequential read of the same segments",
      rounds: quick ? 3 : 15,
      ours: async () => {
        const copy = freshDirectory("lap");
        cpSync(template, copy, { recursive: true });
        const started = performance.now();
        const log = await open(copy);
        const took = performance.now() - started;
        const { partitions: found } = await log.describeTopic("t");
        const count = found.reduce((sum, { highWatermark }) => sum + highWatermark, 0);
        if (count !== records) throw new Error(`${name}: expected ${records} records after the recovery, found ${count}`);
        await log.close();
        remove(copy);
        return took;
      },
      raw: async () => {
        const paths = segmentsUnder(template);
        const started = performance.now();
        for (const path of paths) sequentialRead(path);
        return performance.now() - started;
      },
    });
    remove(template);
  }
}

function segmentsUnder(root) {
  return readdirSync(root)
    .filter((name) => /^t-\d+$/.test(name))
    .flatMap((name) => readdirSync(join(root, name)).map((file) => join(root, name, file)))
    .filter((path) => path.endsWith(".log") && statSync(path).size > 0);
}

/** Appends, and is gone without a word: what it wrote is in the page cache, and nothing says that it closed. */
async function child(into, count, ofPartitions, kind) {
  const log = await open(into);
  await log.createTopic("t", { durability: kind, partitions: ofPartitions });
  const producer = log.producer({ key: utf8, value: bytes });
  for (let sent = 0; sent < count; sent += BATCH) await producer.sendBatch(someRecords("t", BATCH, 100, (sent / BATCH) % ofPartitions));
  process.kill(process.pid, "SIGKILL");
}
