/**
 * How long from `send` to the record in a consumer of the same process; and how late do timers come while records are appended in bulk?
 * There is no raw loop beside the first two but one flush, which send.bench.mjs measures.
 */
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { percentile, quick, report } from "./harness/race.mjs";
import { someRecords } from "./harness/records.mjs";

const SENDS = quick ? 1_000 : 5_000;
const WARM_UP = 500;
const BULK_MS = quick ? 2_000 : 5_000;
const BATCH = 1000;

for (const durability of ["os", "sync"]) {
  const directory = freshDirectory("latency");
  const log = await open(directory);
  await log.createTopic("t", { durability });
  const producer = log.producer({ key: utf8, value: bytes });
  const consumer = log.consumer({ key: utf8, value: bytes });
  await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
  const [record] = someRecords("t", 1, 100);
  const iterator = consumer.records()[Symbol.asyncIterator]();
  const laps = [];
  for (let sent = 0; sent < WARM_UP + SENDS; sent += 1) {
    const delivered = iterator.next();
    // The consumer waits by now: its fetch has found nothing.
    await new Promise(setImmediate);
    const started = performance.now();
    const acknowledged = producer.send(record);
    await delivered;
    if (sent >= WARM_UP) laps.push(performance.now() - started);
    await acknowledged;
  }
  await iterator.return?.();
  await consumer.close();
  await log.close();
  remove(directory);
  for (const share of [0.5, 0.99]) {
    report({ name: `append to delivery, "${durability}", p${share * 100}`, value: percentile(laps, share), unit: "ms", rounds: SENDS });
  }
}

const directory = freshDirectory("latency");
const log = await open(directory);
await log.createTopic("t", { durability: "os" });
const producer = log.producer({ key: utf8, value: bytes });
const records = someRecords("t", BATCH, 100);
const delay = monitorEventLoopDelay({ resolution: 1 });
// No turn is given up here: what keeps timers coming is the producer's own doing.
for (let sent = 0; sent < 200; sent += 1) await producer.sendBatch(records);
delay.enable();
for (const until = performance.now() + BULK_MS; performance.now() < until; ) await producer.sendBatch(records);
delay.disable();
await log.close();
remove(directory);
for (const share of [50, 99]) {
  report({ name: `event-loop delay in bulk append, p${share}`, value: delay.percentile(share) / 1e6, unit: "ms", rounds: 1 });
}
