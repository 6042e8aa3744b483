/**
 * Two tenants on one disk, one greedy: how much later does the modest one's send come back than when it is alone, without and with a
 * quota for the greedy one? And what does a quota that nobody reaches cost a bulk append? It does not say how fair two greedy ones are.
 */
import { performance } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { percentile, quick, race, report } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const SENDS = quick ? 100 : 2_000;
const PAUSE_MS = 2;
const GREEDY_BYTES_PER_SECOND = 1_000_000;
const GREEDY_BATCH = 1000;
const GREEDY_AT_ONCE = 16;
const BULK_BATCHES = quick ? 20 : 300;

const [record] = someRecords("modest", 1, 100);
const flood = someRecords("greedy", GREEDY_BATCH, 100);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `greedy`: "none", "free" or "limited". Answers the modest one's laps, in ms, and what the greedy one got through, in bytes a second. */
async function run(greedy) {
  const directory = freshDirectory("quotas");
  const log = await open(directory);
  await log.createTopic("modest");
  await log.createTopic("greedy");
  if (greedy === "limited") await log.alterClientQuotas("greedy", { producerByteRate: GREEDY_BYTES_PER_SECOND });
  const modest = log.producer({ key: utf8, value: bytes, clientId: "modest" });
  const other = log.producer({ key: utf8, value: bytes, clientId: "greedy", bufferMemory: 64 << 20 });
  let isOver = false;
  const flooding = Array.from({ length: greedy === "none" ? 0 : GREEDY_AT_ONCE }, async () => {
    while (!isOver) await other.sendBatch(flood);
  });
  const laps = [];
  // What a client may use at once from rest, ten seconds' worth, is gone before the laps begin: they measure the steady state.
  await pause(greedy === "none" || quick ? 100 : 2000);
  const before = (await log.describeTopic("greedy")).partitions[0].byteLength;
  const began = performance.now();
  for (let sent = 0; sent < SENDS; sent += 1) {
    const started = performance.now();
    await modest.send(record);
    laps.push(performance.now() - started);
    await pause(PAUSE_MS);
  }
  const bytesPerSecond = (((await log.describeTopic("greedy")).partitions[0].byteLength - before) * 1000) / (performance.now() - began);
  isOver = true;
  await log.close();
  await Promise.allSettled(flooding);
  remove(directory);
  return { laps, bytesPerSecond };
}

/** A bulk append, with a quota too high to be reached or without any: laps that answer M records a second. */
async function bulk(limit) {
  const directory = freshDirectory("quotas");
  const log = await open(directory);
  await log.createTopic("greedy", { durability: "os", retentionBytes: 1 << 28 });
  if (limit !== null) await log.alterClientQuotas(null, { producerByteRate: limit, requestPercentage: 1e9 });
  const producer = log.producer({ key: utf8, value: bytes });
  return {
    lap: async () => {
      const began = performance.now();
      for (let count = 0; count < BULK_BATCHES; count += 1) await producer.sendBatch(flood);
      return (BULK_BATCHES * flood.length) / 1000 / (performance.now() - began);
    },
    close: async () => {
      await log.close();
      remove(directory);
    },
  };
}

const p99 = {};
for (const [greedy, name] of [
  ["none", "alone"],
  ["free", "beside a greedy one without a quota"],
  ["limited", "beside a greedy one with a quota"],
]) {
  const { laps, bytesPerSecond } = await run(greedy);
  p99[greedy] = percentile(laps, 0.99);
  for (const share of [0.5, 0.99])
    report({ name: `modest tenant's send, ${name}, p${share * 100}`, value: percentile(laps, share), unit: "ms", rounds: SENDS });
  if (greedy !== "none") report({ name: `what the greedy one got, ${name}`, value: bytesPerSecond / 1e6, unit: "MB/s", rounds: 1 });
}
report({
  name: "modest tenant's p99 beside a greedy one with a quota, to alone (2 at most)",
  value: p99.limited / p99.none,
  unit: "x",
  rounds: 1,
});
const without = await bulk(null);
const within = await bulk(1e12);
await race({ name: "bulk append under a quota that is not reached, to none", unit: "M/s", ours: within.lap, raw: without.lap });
await without.close();
await within.close();
