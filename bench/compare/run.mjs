/**
 * Odradek beside its peers, on this machine, in this run: `node run.mjs [PEER...] [--json] [--quick] [--record]`. Rounds go through all
 * peers, forwards and backwards in turn; each task is a process of its own, and the raw file is a peer like the others: its figure of
 * the same round is the raw limit. So is the bare loop, which keeps Kafka's format and does nothing else. Each store is opened again and every record compared; flushes are counted by strace.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeRecording } from "../../scripts/bench/recording.mjs";
import { median } from "../harness/figures.mjs";
import { freshDirectory, remove } from "../harness/places.mjs";
import { quick, report, told } from "../harness/race.mjs";
import { installedMiB } from "./installed.mjs";
import { javaVersion, version as kafkaVersion, whyNot } from "./kafka/broker.mjs";
import { flushesIn, kafkaFlushes, kafkaRound, odradekRound } from "./kafka/perf.mjs";
import { measures } from "./measures.mjs";
import { programOnPath } from "./server.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const names = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const isRecorded = process.argv.includes("--record");
const OURS = "odradek";
const RAW = "raw";
/** Not rivals but limits: the system alone, and the format alone. */
const BARE = "bare";
const KAFKA = "kafka";
const ROUNDS = quick ? 1 : 3;
const KAFKA_ROUNDS = quick ? 1 : 3;
const SECONDS = quick ? 0.15 : 0.8;
const RECORDS = { 100: quick ? 10_000 : 200_000, 1024: quick ? 5_000 : 40_000 };
const COMMITS = 20;
const TASK_MS_MAX = 90_000;
const began = performance.now();

const peers = await chosen();
const figures = new Map();
const flushed = new Map();
const hasStrace = programOnPath("strace") !== null;
say(`strace ${hasStrace ? "counts flushes" : "is not installed: durability is taken at its word"}`);
for (const peer of peers) await countFlushes(peer);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) await visit(peer, round);
}
for (const { id, module } of peers) {
  const size = installedMiB(id);
  if (size !== null) put("installed bytes", module.name, 0, size);
}
const kafka = await beside();
const results = conclude();
if (isRecorded) {
  const versions = Object.fromEntries(peers.filter(({ module }) => module.version).map(({ module }) => [module.name, module.version]));
  const kafkas = kafka ? { "apache kafka": kafkaVersion(), java: javaVersion() } : {};
  await writeRecording("compare", results, (performance.now() - began) / 1000, { ...versions, ...kafkas });
}

/** Ours, the raw file and the bare loop are always there. What cannot be loaded here, or whose server is not installed, is said and left out. */
async function chosen() {
  const all = readdirSync(join(folder, "peers")).map((file) => basename(file, ".mjs"));
  const unknown = names.filter((name) => !all.includes(name) && name !== KAFKA);
  if (unknown.length > 0) throw new Error(`there is no peer ${unknown.join(", ")}; there are ${[...all, KAFKA].join(", ")}`);
  const found = [];
  const always = [RAW, BARE, OURS];
  for (const name of [...always, ...all.filter((each) => !always.includes(each))]) {
    if (names.length > 0 && !names.includes(name) && !always.includes(name)) continue;
    try {
      const module = await import(`./peers/${name}.mjs`);
      if (module.program === null) say(`${module.name} is left out: its server is not installed`);
      else found.push({ id: name, module });
    } catch (error) {
      say(`${name} is left out: ${error.code ?? error.message}`);
    }
  }
  return found;
}

async function visit(peer, round) {
  const { module } = peer;
  for (const valueByteLength of [100, 1024]) {
    const options = { valueByteLength, seconds: SECONDS };
    await task(peer, round, "bulk", options, valueByteLength);
    if (module.isDurable) for (const name of ["durable", "ahead"]) await task(peer, round, name, options, valueByteLength);
    const records = Math.min(RECORDS[valueByteLength], module.recordsMax ?? Number.POSITIVE_INFINITY);
    const directory = freshDirectory(`${peer.id}-filled`);
    await task(peer, round, "filled", { ...options, records, directory }, valueByteLength);
    if (valueByteLength === 100) await task(peer, round, "opened", { ...options, records, directory }, valueByteLength);
    remove(directory);
  }
  if (module.isDurable) await task(peer, round, "sends", { valueByteLength: 100, seconds: SECONDS, concurrent: 64 }, 100);
  if ([OURS, "redis", "nats"].includes(peer.id)) await task(peer, round, "delivery", { valueByteLength: 100, seconds: SECONDS }, 100);
  say(`${module.name}: round ${round + 1} of ${ROUNDS}, ${Math.round((performance.now() - began) / 1000)} s`);
}

async function task(peer, round, name, options, valueByteLength) {
  const directory = options.directory ?? freshDirectory(`${peer.id}-${name}`);
  const found = await worker([process.execPath], peer.id, name, { ...options, directory });
  if (options.directory === undefined) remove(directory);
  for (const [figure, value] of Object.entries(found)) put(`${name} ${valueByteLength} ${figure}`, peer.module.name, round, value);
}

async function worker([program, ...before], peer, name, options) {
  const args = [...before, join(folder, "worker.mjs"), peer, name, JSON.stringify(options)];
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: TASK_MS_MAX, maxBuffer: 1 << 24 });
    return JSON.parse(stdout.trim().split("\n").at(-1));
  } catch (error) {
    throw new Error(`${peer}, ${name}: ${error.message.slice(-2000)}`);
  }
}

function put(measure, peer, round, value) {
  if (!figures.has(measure)) figures.set(measure, new Map());
  const byPeer = figures.get(measure);
  if (!byPeer.has(peer)) byPeer.set(peer, []);
  byPeer.get(peer)[round] = value;
}

/** A peer that says it is durable asks the system for a flush at each commit, or it is not. */
async function countFlushes({ id, module }) {
  if (!module.isDurable || !hasStrace || id === RAW) return;
  const directory = freshDirectory(`${id}-flushes`);
  const output = `${directory}.strace`;
  const trace = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,msync", "-o", output, process.execPath];
  const { commits } = await worker(trace, id, "flushes", { directory, commits: COMMITS });
  flushed.set(module.name, { commits, flushes: flushesIn(output) });
  remove(directory);
  rmSync(output, { force: true });
}

/** Kafka's own tools, and the same asked of us, in turns. */
async function beside() {
  if (names.length > 0 && !names.includes(KAFKA)) return false;
  const reason = await whyNot();
  if (reason !== null) {
    say(`apache kafka is left out: ${reason}`);
    return false;
  }
  const sizes = quick
    ? { records: 50_000, durableRecords: 5_000, latencies: 200 }
    : { records: 2_000_000, durableRecords: 100_000, latencies: 2_000 };
  const directory = freshDirectory("kafka");
  if (hasStrace) {
    const output = `${directory}.strace`;
    const { commits } = await kafkaFlushes({ directory, commits: COMMITS, output });
    flushed.set("apache kafka", { commits, flushes: existsSync(output) ? flushesIn(output) : 0 });
    rmSync(output, { force: true });
  }
  for (let round = 0; round < KAFKA_ROUNDS; round += 1) {
    const turns = [
      ["apache kafka", kafkaRound],
      ["odradek", odradekRound],
    ];
    for (const [name, turn] of round % 2 === 0 ? turns : turns.reverse()) {
      mkdirSync(directory, { recursive: true });
      const found = await turn({ directory, ...sizes });
      for (const [figure, value] of Object.entries(found)) put(`kafka 116 ${figure}`, name, round, value);
    }
    say(`apache kafka: round ${round + 1} of ${KAFKA_ROUNDS}, ${Math.round((performance.now() - began) / 1000)} s`);
  }
  remove(directory);
  return true;
}

/** A line for each peer and measure: its figure, the raw file's, and how many times better ours was, round by round. */
function conclude() {
  const results = [];
  for (const { key, name, unit, better, needsDurable, ...aims } of measures) {
    const byPeer = figures.get(key) ?? new Map();
    const raw = byPeer.get("raw file");
    for (const [peer, values] of byPeer) {
      const flushes = flushed.get(peer);
      if (needsDurable && flushes !== undefined && flushes.flushes < flushes.commits)
        say(`${peer} flushed ${flushes.flushes} times in ${flushes.commits} commits: not durable`);
      const beside = key.startsWith("kafka") ? byPeer.get("odradek") : byPeer.get(OURS);
      const ratios = values.map((value, round) => (better === "higher" ? beside[round] / value : value / beside[round]));
      const more = {
        peer,
        measure: name,
        oursIsTimes: median(ratios),
        ...aims,
        verified:
          needsDurable && flushes !== undefined
            ? { ...flushes, isDurable: flushes.flushes >= flushes.commits }
            : peer === "apache kafka"
              ? "counts and stored bytes"
              : "every record",
      };
      results.push(line({ name: `${peer}: ${name}`, unit, better, values, raw: raw ?? null }, more));
    }
  }
  return results;
}

function line({ name, unit, better, values, raw }, more) {
  const against = "the raw file in the same round";
  if (raw !== null && raw !== values) return told({ name, unit, better, against, figures: { ours: values, raw }, ...more });
  return report({ name, value: median(values), unit, rounds: values.length, better, ...more });
}

function say(sentence) {
  process.stderr.write(`compare: ${sentence}\n`);
}
