/**
 * How much anonymous memory does a process hold after it has scanned a million records, beside one that has only started? The budget is
 * 30 MiB for the whole process. Measured in a process of its own; Linux alone tells anonymous memory apart.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, quick, report } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const [, self, mode, directory] = process.argv;
if (mode === "scan" || mode === "bare") await child(mode, directory);
else if (existsSync("/proc/self/smaps_rollup")) await parent();
else console.log("memory: this system does not tell anonymous memory apart");

async function parent() {
  const filled = freshDirectory("memory");
  const log = await open(filled);
  await log.createTopic("t", { durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", 1000, 100);
  for (let sent = 0; sent < 1_000_000; sent += 1000) await producer.sendBatch(records);
  await log.close();
  const rounds = quick ? 1 : 5;
  for (const [kind, name] of [
    ["bare", "anonymous memory, package loaded"],
    ["scan", "anonymous memory, 1 M records scanned"],
  ]) {
    const figures = Array.from({ length: rounds }, () => {
      const { stdout, status, stderr } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), kind, filled], { encoding: "utf8" });
      if (status !== 0) throw new Error(`${self} ${kind}: ${stderr}`);
      return Number(stdout);
    });
    report({ name, value: median(figures), unit: "MiB", rounds });
  }
  remove(filled);
}

async function child(kind, from) {
  if (kind === "scan") {
    const log = await open(from);
    const consumer = log.consumer({ key: bytes, value: bytes });
    await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
    let seen = 0;
    for await (const batch of consumer.batches({ until: "end" })) for (const record of batch) seen += record.value.length > 0 ? 1 : 0;
    if (seen !== 1_000_000) throw new Error(`expected 1,000,000 records, saw ${seen}`);
    process.stdout.write(anonymousMiB());
    await consumer.close();
    await log.close();
  } else process.stdout.write(anonymousMiB());
}

function anonymousMiB() {
  const [, kib] = /^Anonymous:\s+(\d+) kB/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8")) ?? [];
  return String(Number(kib) / 1024);
}
