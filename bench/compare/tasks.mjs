/** What each peer is asked to do. A task runs in a process of its own, in a directory of its own, and checks what it was given back. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { median, percentile } from "../harness/figures.mjs";
import { BATCH, Judge, sampleOf } from "./sample.mjs";
import { anonymousMiB } from "./server.mjs";

const WARM_UP_BATCHES = 30;
/** So much is kept at most, whatever the time: what is stored is read back. */
const BYTES_MAX = 256e6;

export const tasks = { bulk, durable, ahead, sends, filled, opened, delivery, flushes };

/** Batches of a thousand as fast as they go, a turn of the loop after each; nothing waits for the disk. */
async function bulk({ peer, directory, valueByteLength, seconds }) {
  return await batches({ peer, directory, valueByteLength, seconds, durable: false });
}

/** The same, each batch durable before the next. */
async function durable({ peer, directory, valueByteLength, seconds }) {
  const { recordsPerSecond } = await batches({ peer, directory, valueByteLength, seconds, durable: true });
  return { recordsPerSecond };
}

/** The same, the next batch given while the last becomes durable, to whoever can take it by then. */
async function ahead({ peer, directory, valueByteLength, seconds }) {
  const { recordsPerSecond } = await batches({ peer, directory, valueByteLength, seconds, durable: true, atOnce: 2 });
  return { recordsPerSecond };
}

async function batches({ peer, directory, valueByteLength, seconds, durable: isDurable, atOnce = 1 }) {
  const sample = sampleOf(valueByteLength);
  const options = { durable: isDurable, valueByteLength };
  const store = await peer.store(directory, options);
  for (let batch = 0; batch < WARM_UP_BATCHES; batch += 1) await store.appendBatch(sample);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let count = 0;
  let took = 0;
  const batchesMax = BYTES_MAX / (BATCH * (16 + valueByteLength));
  const append = store[atOnce > 1 ? "appendBatchAhead" : "appendBatch"] ?? store.appendBatch;
  const begun = [];
  for (const started = performance.now(); took < seconds * 1000 && count < batchesMax; took = performance.now() - started) {
    begun.push(append(sample));
    if (begun.length === atOnce) await begun.shift();
    await new Promise(setImmediate);
    count += 1;
  }
  await Promise.all(begun);
  delay.disable();
  await store.close();
  await verify(peer, directory, options, sample, (count + WARM_UP_BATCHES) * BATCH);
  return { recordsPerSecond: (count * BATCH * 1000) / took, delayMsP99: delay.percentile(99) / 1e6 };
}

/** Single durable records: one after another, then sixty-four at a time. */
async function sends({ peer, directory, seconds, concurrent }) {
  const sample = sampleOf(100);
  const options = { durable: true, valueByteLength: 100 };
  const store = await peer.store(directory, options);
  let sent = 0;
  const laps = { one: [], many: [] };
  const sender = async (kind, until) => {
    while (performance.now() < until) {
      const started = performance.now();
      await store.append(sample[sent++ % BATCH]);
      laps[kind].push(performance.now() - started);
    }
  };
  for (let warm = 0; warm < 20; warm += 1) await store.append(sample[sent++ % BATCH]);
  await sender("one", performance.now() + seconds * 1000);
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrent }, () => sender("many", started + seconds * 1000)));
  const took = performance.now() - started;
  await store.close();
  await verify(peer, directory, options, sample, sent, false);
  return {
    oneMsP50: median(laps.one),
    oneMsP99: percentile(laps.one, 0.99),
    manyPerSecond: (laps.many.length * 1000) / took,
    manyMsP99: percentile(laps.many, 0.99),
  };
}

/** Fills, then scans twice (the second counts) and reads here and there. What it leaves is for `opened`. */
async function filled({ peer, directory, valueByteLength, records, seconds }) {
  const sample = sampleOf(valueByteLength);
  const store = await peer.store(directory, { durable: false, valueByteLength });
  for (let count = 0; count < records; count += BATCH) await store.appendBatch(sample);
  let scanMs = 0;
  let sum = 0;
  for (let pass = 0; pass < 2; pass += 1) {
    let seen = 0;
    const started = performance.now();
    await store.scan((key, value) => {
      sum += key[0] + value[0];
      seen += 1;
    });
    scanMs = performance.now() - started;
    if (seen !== records) throw new Error(`${records} records were stored and ${seen} came back`);
  }
  if (sum === 0) throw new Error("nothing was looked at");
  let reads = 0;
  let state = 1;
  let took = 0;
  for (const started = performance.now(); took < seconds * 1000; took = performance.now() - started) {
    for (let some = 0; some < 20; some += 1) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const offset = Math.floor((state / 2 ** 32) * records);
      const found = store.read(offset);
      const { key, value } = found instanceof Promise ? await found : found;
      if (!sample[offset % BATCH].key.equals(key) || !sample[offset % BATCH].value.equals(value))
        throw new Error(`offset ${offset} gave another record`);
      reads += 1;
    }
  }
  await store.close();
  return { recordsPerSecond: (records * 1000) / scanMs, readsPerSecond: (reads * 1000) / took };
}

/** Opens what `filled` left: how long until its first record, counted from before the peer's module was loaded, and what a scan leaves in
 * memory; how much of the one was the loading, and how much of the other was there before the scan. */
async function opened({ peer, directory, valueByteLength, records, loadingBegan, loadMs }) {
  const sample = sampleOf(valueByteLength);
  const store = await peer.store(directory, { durable: false, valueByteLength });
  const first = await store.read(0);
  const openMs = performance.now() - loadingBegan;
  const openMiB = anonymousMiB(process.pid) + (store.server?.anonymousMiB() ?? 0);
  const judge = new Judge(sample);
  if (!sample[0].value.equals(first.value)) throw new Error("the first record is another");
  await store.scan((key, value) => judge.see(key, value));
  judge.end(records);
  const memoryMiB = anonymousMiB(process.pid) + (store.server?.anonymousMiB() ?? 0);
  await store.close();
  return { openMs, loadMs, openMiB, memoryMiB };
}

/** From the append of one record, not durable, to its subscriber, one at a time. */
async function delivery({ peer, directory, seconds }) {
  const sample = sampleOf(100);
  const store = await peer.store(directory, { durable: false, valueByteLength: 100 });
  let arrived = () => {};
  const stop = await store.subscribe(() => arrived());
  const laps = [];
  for (const until = performance.now() + seconds * 1000; performance.now() < until; ) {
    const delivered = new Promise((resolve) => {
      arrived = resolve;
    });
    await new Promise(setImmediate);
    const started = performance.now();
    const acknowledged = store.append(sample[laps.length % BATCH]);
    await delivered;
    laps.push(performance.now() - started);
    await acknowledged;
  }
  await stop();
  await store.close();
  const steady = laps.slice(Math.floor(laps.length / 10));
  return { deliveryMsP50: median(steady), deliveryMsP99: percentile(steady, 0.99) };
}

/** So many durable commits, for whoever counts the system's flushes meanwhile. */
async function flushes({ peer, directory, commits }) {
  const sample = sampleOf(100);
  const store = await peer.store(directory, { durable: true, valueByteLength: 100 });
  for (let commit = 0; commit < commits; commit += 1) {
    if (commit % 2 === 0) await store.appendBatch(sample);
    else await store.append(sample[0]);
  }
  await store.close();
  return { commits };
}

async function verify(peer, directory, options, sample, expected, ordered = true) {
  const store = await peer.store(directory, options);
  const judge = new Judge(sample, ordered);
  await store.scan((key, value) => judge.see(key, value));
  judge.end(expected);
  await store.close();
}
