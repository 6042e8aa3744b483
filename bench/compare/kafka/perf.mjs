/** Kafka's own performance tools against a broker, and what they say; and the same work asked of Odradek in a process of its own. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startBroker, tool } from "./broker.mjs";

export const RECORD_BYTE_LENGTH = 116;
/** As large as Odradek's own batches of a thousand, and given time to fill: what Kafka's throughput is best with. */
const PRODUCER = ["acks=all", "batch.size=131072", "linger.ms=5", "buffer.memory=67108864"];

/** One round: `{ startMs, producePerSecond, durablePerSecond, consumePerSecond, deliveryMsP50, deliveryMsP99, memoryMiB }`. */
export async function kafkaRound({ directory, records, durableRecords, latencies }) {
  rmSync(directory, { recursive: true, force: true });
  const broker = await startBroker(directory);
  try {
    await createTopic(broker, "plain", []);
    await createTopic(broker, "durable", ["--config", "flush.messages=1"]);
    const producePerSecond = await produce(broker, "plain", records);
    // The tools say what they sent and got; that it stands on the disk is looked up.
    const stored = broker.storedBytes("plain");
    if (stored < records * RECORD_BYTE_LENGTH) throw new Error(`${records} records were produced and ${stored} bytes are stored`);
    const consumePerSecond = await consume(broker, "plain", records);
    const durablePerSecond = await produce(broker, "durable", durableRecords);
    await consume(broker, "durable", durableRecords);
    const latency = await endToEnd(broker, latencies);
    return { startMs: broker.startMs, producePerSecond, durablePerSecond, consumePerSecond, ...latency, memoryMiB: broker.memoryMiB() };
  } finally {
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** How many flushes the broker asked the system for while `commits` records were produced one by one to a topic with flush.messages=1. */
export async function kafkaFlushes({ directory, commits, output }) {
  rmSync(directory, { recursive: true, force: true });
  const broker = await startBroker(directory);
  try {
    await createTopic(broker, "durable", ["--config", "flush.messages=1"]);
    const tracer = spawn("strace", ["-f", "-qq", "-e", "trace=fsync,fdatasync,msync", "-o", output, "-p", String(broker.pid)], {
      stdio: "ignore",
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await endToEndOn(broker, "durable", commits);
    const ended = once(tracer, "exit");
    tracer.kill("SIGINT");
    await ended;
    return { commits };
  } finally {
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function createTopic(broker, topic, further) {
  const where = ["--bootstrap-server", broker.bootstrap, "--topic", topic];
  await tool("org.apache.kafka.tools.TopicCommand", ["--create", ...where, "--partitions", "1", ...further]);
}

async function produce(broker, topic, records) {
  const output = await tool("org.apache.kafka.tools.ProducerPerformance", [
    ...["--bootstrap-server", broker.bootstrap, "--topic", topic, "--num-records", String(records)],
    ...["--record-size", String(RECORD_BYTE_LENGTH), "--throughput", "-1", "--command-property", ...PRODUCER],
  ]);
  const last = [...output.matchAll(/^(\d+) records sent, ([\d.]+) records\/sec/gm)].at(-1);
  if (last === undefined || Number(last[1]) !== records) throw new Error(`expected ${records} records sent, found ${output.slice(-2000)}`);
  return Number(last[2]);
}

async function consume(broker, topic, records) {
  const output = await tool("org.apache.kafka.tools.ConsumerPerformance", [
    ...["--bootstrap-server", broker.bootstrap, "--topic", topic, "--num-records", String(records), "--timeout", "20000"],
  ]);
  // start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
  const columns = output
    .split("\n")
    .find((line) => /^\d{4}-.*,/.test(line))
    ?.split(", ");
  // Whole batches are fetched, so that it may count more than it was asked for.
  if (columns === undefined || Number(columns[4]) < records)
    throw new Error(`expected ${records} records consumed, found ${output.slice(-2000)}`);
  return Number(columns[9]);
}

async function endToEnd(broker, count) {
  const output = await endToEndOn(broker, "latency", count);
  const found = /50th = ([\d.]+).*99th = ([\d.]+)/.exec(output);
  if (found === null) throw new Error(`expected percentiles of latency, found ${output.slice(-2000)}`);
  return { deliveryMsP50: Number(found[1]), deliveryMsP99: Number(found[2]) };
}

async function endToEndOn(broker, topic, count) {
  return await tool("org.apache.kafka.tools.EndToEndLatency", [broker.bootstrap, topic, String(count), "all", String(RECORD_BYTE_LENGTH)]);
}

/** The same of ours, with the same figures. */
export async function odradekRound(options) {
  rmSync(options.directory, { recursive: true, force: true });
  mkdirSync(options.directory, { recursive: true });
  try {
    const worker = fileURLToPath(new URL("odradek-round.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [worker, JSON.stringify(options)], { maxBuffer: 1 << 24 });
    return JSON.parse(stdout.trim().split("\n").at(-1));
  } finally {
    rmSync(options.directory, { recursive: true, force: true });
  }
}

export function flushesIn(path) {
  return (readFileSync(path, "utf8").match(/\b(?:fsync|fdatasync|msync)\(/g) ?? []).length;
}

export const traceFile = (directory) => join(directory, "..", "flushes.strace");
