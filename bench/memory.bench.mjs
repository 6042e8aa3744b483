/**
 * How much memory does a process hold that has the package loaded, that has scanned a million records, and that has a log of ten gibibytes
 * open and reads here and there in it? Beside a process that has started and nothing else. Each is a process of its own.
 * Anonymous memory is what the process cannot give back; Linux alone tells it apart.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bytes, open, utf8 } from "odradek";
import { largeLog } from "./harness/large-log.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, told } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const ROLLUP = "/proc/self/smaps_rollup";
const RECORDS = quick ? 200_000 : 1_000_000;
const GIBIBYTES = quick ? 0.25 : 10;
const READS = 500;
const TELL = `console.log(require("node:fs").readFileSync("${ROLLUP}", "utf8"))`;

const [, , mode, directory, count] = process.argv;
if (mode === "scan" || mode === "loaded" || mode === "large") await child(mode, directory, Number(count));
else if (existsSync(ROLLUP)) await parent();
else console.log("memory: this system does not tell anonymous memory apart");

async function parent() {
  const filled = freshDirectory("memory");
  const log = await open(filled);
  await log.createTopic("t", { durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", 1000, 100);
  for (let sent = 0; sent < RECORDS; sent += 1000) await producer.sendBatch(records);
  await log.close();
  const large = await largeLog(GIBIBYTES);
  const rounds = quick ? 1 : 7;
  for (const [kind, name, figure, from, ofRecords, budget] of [
    ["loaded", "anonymous memory, package loaded", "Anonymous", filled, RECORDS],
    ["scan", "anonymous memory, 1 M records scanned", "Anonymous", filled, RECORDS, { atMost: 30 }],
    ["large", `resident memory, ${GIBIBYTES} GiB open, 500 reads`, "Rss", large, GIBIBYTES * 1024, { atMost: 100 }],
  ]) {
    const figures = { ours: [], raw: [] };
    for (let round = 0; round < rounds; round += 1) {
      figures.ours.push(mebibytes([fileURLToPath(import.meta.url), kind, from, String(ofRecords)], figure));
      figures.raw.push(mebibytes(["-e", TELL], figure));
    }
    told({ name, unit: "MiB", better: "lower", against: "node that has started and nothing else", budget, figures });
  }
  remove(filled);
}

function mebibytes(args, figure) {
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  const [, kibibytes] = new RegExp(`^${figure}:\\s+(\\d+) kB`, "m").exec(stdout) ?? [];
  if (kibibytes === undefined) throw new Error(`${args.join(" ")}: expected a line ${figure}, found ${stdout}`);
  return Number(kibibytes) / 1024;
}

async function child(kind, from, records) {
  if (kind === "loaded") {
    console.log(readFileSync(ROLLUP, "utf8"));
    return;
  }
  const log = await open(from);
  if (kind === "scan") await scan(log, records);
  else await readAbout(log, records);
  console.log(readFileSync(ROLLUP, "utf8"));
  await log.close();
}

async function scan(log, expected) {
  const consumer = log.consumer({ key: bytes, value: bytes });
  await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
  let seen = 0;
  for await (const batch of consumer.batches({ until: "end" })) for (const record of batch) seen += record.value.length > 0 ? 1 : 0;
  if (seen !== expected) throw new Error(`expected ${expected} records, saw ${seen}`);
}

async function readAbout(log, records) {
  let random = 1;
  for (let read = 0; read < READS; read += 1) {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    const offset = random % records;
    const found = await log.read({ topic: "t", partition: 0, offset }, { key: bytes, value: bytes });
    if (found?.value?.length === undefined) throw new Error(`expected a record at ${offset}, found none`);
  }
}
