/**
 * How long from `send` to the record in a consumer of the same process, beside the write (and, where it is durable, the flush) of the
 * same bytes and one turn of promises? Sends come one at a time; what many at once cost is in send.bench.mjs.
 */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { percentile, quick, report, told } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const WARM_UP = quick ? 200 : 500;
const BLOCKS = quick ? 4 : 11;
const [record] = someRecords("t", 1, 100);
const batch = new Uint8Array(61 + framedByteLength(100)).fill(7);

for (const [durability, sends] of [
  ["os", quick ? 250 : 1_000],
  ["sync", quick ? 40 : 300],
]) {
  const directory = freshDirectory("delivery");
  const log = await open(join(directory, "log"));
  await log.createTopic("t", { durability });
  const producer = log.producer({ key: utf8, value: bytes });
  const consumer = log.consumer({ key: utf8, value: bytes });
  await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
  const iterator = consumer.records()[Symbol.asyncIterator]();
  const file = await openFile(join(directory, "raw"), "w");
  let end = 0;
  const delivery = async () => {
    const delivered = iterator.next();
    // The consumer waits by now: its fetch has found nothing.
    await new Promise(setImmediate);
    const started = performance.now();
    const acknowledged = producer.send(record);
    await delivered;
    const took = performance.now() - started;
    await acknowledged;
    return took;
  };
  const raw = async () => {
    await new Promise(setImmediate);
    const started = performance.now();
    end += writeSync(file.fd, batch, 0, batch.length, end);
    await (durability === "sync" ? file.datasync() : null);
    return performance.now() - started;
  };
  const lapsOf = async (count, one) => {
    const laps = [];
    for (let sent = 0; sent < count; sent += 1) laps.push(await one());
    return laps;
  };
  await lapsOf(durability === "os" ? WARM_UP : WARM_UP / 10, delivery);
  const laps = { ours: [], raw: [] };
  for (let block = 0; block < BLOCKS; block += 1) {
    laps.ours.push(await lapsOf(sends, delivery));
    laps.raw.push(await lapsOf(sends, raw));
  }
  await iterator.return?.();
  await consumer.close();
  await log.close();
  await file.close();
  remove(directory);
  for (const share of [0.5, 0.99]) {
    told({
      name: `append to delivery, "${durability}", p${share * 100}`,
      unit: "ms",
      better: "lower",
      against: durability === "os" ? "write of the same bytes" : "write + fdatasync of the same bytes",
      budget: durability === "sync" ? { ratio: 1 / 1.1 } : share === 0.99 ? { atMost: 0.2 } : undefined,
      figures: { ours: laps.ours.map((block) => percentile(block, share)), raw: laps.raw.map((block) => percentile(block, share)) },
    });
  }
  if (durability === "os")
    report({ name: 'append to delivery, "os", the longest', value: Math.max(...laps.ours.flat()), unit: "ms", rounds: BLOCKS * sends });
}
