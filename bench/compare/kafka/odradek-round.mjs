/** What Kafka's tools do to a broker, done to Odradek in this process: open, produce, consume, one record from end to end, again and again. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { median, percentile } from "../../harness/figures.mjs";
import { anonymousMiB } from "../server.mjs";

const { directory, records, durableRecords, latencies } = JSON.parse(process.argv[2] ?? "{}");
const began = performance.now();
const { bytes, open } = await import("../../../dist/index.js");
const importMs = performance.now() - began;
const log = await open(directory);
const startMs = performance.now() - began;
const openMiB = anonymousMiB(process.pid);
const BATCH = 1000;
const value = new Uint8Array(116).fill(97);
const batchOf = (topic) => Array.from({ length: BATCH }, () => ({ topic, value }));

await log.createTopic("plain", { durability: "os" });
await log.createTopic("durable");
await log.createTopic("latency", { durability: "os" });
const producer = log.producer({ value: bytes });

const producePerSecond = await produce("plain", records);
const sendPerSecond = await sendEach("plain", records);
const consumePerSecond = await consume("plain", records * 2);
const durablePerSecond = await produce("durable", durableRecords);
await consume("durable", durableRecords);
const latency = await endToEnd();
const memoryMiB = anonymousMiB(process.pid);
const collectedMiB = collected();
await log.close();
const memory = { openMiB, memoryMiB, collectedMiB };
console.log(
  JSON.stringify({ importMs, startMs, producePerSecond, sendPerSecond, consumePerSecond, durablePerSecond, ...latency, ...memory }),
);

async function produce(topic, count) {
  const batch = batchOf(topic);
  const started = performance.now();
  for (let sent = 0; sent < count; sent += BATCH) await producer.sendBatch(batch);
  return (count * 1000) / (performance.now() - started);
}

/** One call a record, as the tool does it; what is under way is bounded by waiting for every thousandth. */
async function sendEach(topic, count) {
  const record = { topic, value };
  const started = performance.now();
  for (let sent = 0; sent < count; sent += BATCH) {
    let last = null;
    for (let each = 0; each < BATCH; each += 1) last = producer.send(record);
    await last;
  }
  await producer.flush();
  return (count * 1000) / (performance.now() - started);
}

async function consume(topic, expected) {
  const consumer = log.consumer({ key: bytes, value: bytes });
  await consumer.assign([{ topic, partition: 0 }]);
  let seen = 0;
  const started = performance.now();
  for await (const batch of consumer.batches({ until: "end" }))
    for (const record of batch) seen += record.value.length === value.length ? 1 : 0;
  const took = performance.now() - started;
  await consumer.close();
  if (seen !== expected) throw new Error(`expected ${expected} records, saw ${seen}`);
  return (expected * 1000) / took;
}

async function endToEnd() {
  const consumer = log.consumer({ value: bytes });
  await consumer.assign([{ topic: "latency", partition: 0 }]);
  const iterator = consumer.records()[Symbol.asyncIterator]();
  const laps = [];
  for (let sent = 0; sent < latencies; sent += 1) {
    const delivered = iterator.next();
    await new Promise(setImmediate);
    const started = performance.now();
    const acknowledged = producer.send({ topic: "latency", value });
    await delivered;
    laps.push(performance.now() - started);
    await acknowledged;
  }
  await iterator.return?.();
  await consumer.close();
  return { deliveryMsP50: median(laps), deliveryMsP99: percentile(laps, 0.99) };
}

/** What is held when all that nobody needs is given back, as it would be by and by. */
function collected() {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  for (let times = 0; times < 3; times += 1) collect();
  return anonymousMiB(process.pid);
}
