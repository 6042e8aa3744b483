/**
 * How long from `send` to the record in a consumer of the same process, beside the write (and, where it is durable, the flush) of the
 * same bytes and one turn of promises? Where it is durable: how much of it is the flush itself, and what have the laps in which V8
 * collected garbage to do with the tail? Sends come one at a time; what many at once cost is in send.bench.mjs.
 */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { bytes, open, utf8 } from "odradek";
import { appendBatch, batchesOf, noteEnd } from "./harness/bare-loop.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { percentile, quick, report, told, toldLimit } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";
import { timedStorage } from "./harness/timed-storage.mjs";

const WARM_UP = quick ? 200 : 500;
const BLOCKS = quick ? 4 : 11;
/** More than a lane writes: a hole, which takes no room. */
const LONG_BYTE_LENGTH = 1024 ** 3;
const [record] = someRecords("t", 1, 100);
const batch = new Uint8Array(61 + framedByteLength(100)).fill(7);
const collections = [];
const observer = new PerformanceObserver((list) => keep(list.getEntries()));
observer.observe({ entryTypes: ["gc"] });

for (const [durability, sends] of [
  ["os", quick ? 250 : 1_000],
  ["sync", quick ? 40 : 300],
]) {
  const directory = freshDirectory("delivery");
  const lanes = [await ours(join(directory, "log"), durability), await raw(directory, durability)];
  if (durability === "sync") lanes.push(await bare(directory), await bare(directory, true), await flushAlone(join(directory, "timed")));
  for (const { one, warmUp = 0 } of lanes) await lapsOf(durability === "os" ? warmUp : warmUp / 10, one);
  const laps = lanes.map(() => []);
  for (let block = 0; block < BLOCKS; block += 1) for (const [at, { one }] of lanes.entries()) laps[at].push(await lapsOf(sends, one));
  for (const { close } of lanes) await close();
  remove(directory);
  for (const share of [0.5, 0.99]) tell(durability, share, lanes, laps);
  if (durability === "os")
    report({
      name: 'append to delivery, "os", the longest',
      value: Math.max(...laps[0].flat().map(({ ms }) => ms)),
      unit: "ms",
      rounds: BLOCKS * sends,
    });
  else await tellWithoutCollections(laps);
}
observer.disconnect();

/** When each lap began and ended, and the milliseconds that it answered: what it makes ready is not in them. */
async function lapsOf(count, one) {
  const laps = [];
  for (let sent = 0; sent < count; sent += 1) {
    const began = performance.now();
    const ms = await one();
    laps.push({ began, ended: performance.now(), ms });
  }
  return laps;
}

function named(durability, share) {
  return {
    name: `append to delivery, "${durability}", p${share * 100}`,
    unit: "ms",
    better: "lower",
    against: durability === "os" ? "write of the same bytes" : "write + fdatasync of the same bytes",
  };
}

function tell(durability, share, lanes, laps) {
  const budget = durability === "sync" ? { ratio: 1 / 1.1 } : share === 0.99 ? { atMost: 0.2 } : undefined;
  const [ofOurs, ofRaw, ...ofLimits] = laps.map((blocks) =>
    blocks.map((block) =>
      percentile(
        block.map(({ ms }) => ms),
        share,
      ),
    ),
  );
  const of = told({ ...named(durability, share), budget, figures: { ours: ofOurs, raw: ofRaw } });
  for (const [at, figures] of ofLimits.entries())
    toldLimit({ of, limit: lanes[at + 2].limit, figures: { limit: figures, ours: ofOurs, raw: ofRaw } });
}

/** The tail once more, of ours alone, without the laps in which a collection fell. */
async function tellWithoutCollections([ofOurs, ofRaw]) {
  // What the observer has not told yet comes with the next turns of the loop.
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  keep(observer.takeRecords());
  const isQuiet = ({ began, ended }) => !collections.some(({ from, to }) => from < ended && to > began);
  const p99 = (block) =>
    percentile(
      block.map(({ ms }) => ms),
      0.99,
    );
  const { name, ...rest } = named("sync", 0.99);
  const quiet = ofOurs.map((block) => block.filter(isQuiet));
  told({
    name: `${name}, of the laps without a collection`,
    ...rest,
    figures: { ours: quiet.map(p99), raw: ofRaw.map(p99) },
    collected: ofOurs.flat().length - quiet.flat().length,
  });
}

function keep(entries) {
  for (const { startTime, duration } of entries) collections.push({ from: startTime, to: startTime + duration });
}

async function ours(directory, durability, storage = undefined) {
  const log = await open(storage === undefined ? directory : { storage });
  await log.createTopic("t", { durability });
  const producer = log.producer({ key: utf8, value: bytes });
  const consumer = log.consumer({ key: utf8, value: bytes });
  await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
  const iterator = consumer.records()[Symbol.asyncIterator]();
  return {
    warmUp: WARM_UP,
    one: async () => {
      const delivered = iterator.next();
      // The consumer waits by now: its fetch has found nothing.
      await new Promise(setImmediate);
      const started = performance.now();
      const acknowledged = producer.send(record);
      await delivered;
      const took = performance.now() - started;
      await acknowledged;
      return took;
    },
    close: async () => {
      await iterator.return?.();
      await consumer.close();
      await log.close();
    },
  };
}

async function raw(directory, durability) {
  const file = await openFile(join(directory, "raw"), "w");
  let end = 0;
  return {
    one: async () => {
      await new Promise(setImmediate);
      const started = performance.now();
      end += writeSync(file.fd, batch, 0, batch.length, end);
      await (durability === "sync" ? file.datasync() : null);
      return performance.now() - started;
    },
    close: () => file.close(),
  };
}

async function bare(directory, isNoted = false) {
  const [file, notes] = await Promise.all(["bare", "notes"].map((name) => openFile(join(directory, `${name}-${isNoted}`), "w")));
  await file.truncate(LONG_BYTE_LENGTH);
  await file.sync();
  const [one] = batchesOf([record]);
  let end = 0;
  let turn = 0;
  return {
    limit: isNoted
      ? { name: "bare loop with the note", does: "the same, and behind the flush the note of the durable end, a write into another file" }
      : { name: "bare loop", does: "one record, encoded by the core, a write, fdatasync; file made long first" },
    one: async () => {
      await new Promise(setImmediate);
      const started = performance.now();
      end += appendBatch(file.fd, one, end);
      await file.datasync();
      if (isNoted) noteEnd(notes.fd, end, turn++);
      return performance.now() - started;
    },
    close: () => Promise.all([file.close(), notes.close()]),
  };
}

/** Deliveries like ours in a log of their own; what is told of them is how long their flushes took. */
async function flushAlone(directory) {
  const { storage, takeMs } = timedStorage(directory);
  const { one, ...rest } = await ours(directory, "sync", storage);
  return {
    ...rest,
    limit: {
      name: "its flush alone",
      does: "what the flush took in such deliveries, from its call until its promise was kept",
      isPart: true,
    },
    one: async () => {
      takeMs();
      await one();
      return takeMs();
    },
  };
}
