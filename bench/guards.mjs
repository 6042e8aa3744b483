/**
 * Small races that tell a slow change from a slow hour: each does the same work as a raw loop beside it, in turns, in less than two
 * seconds. `floor` is half of the ratio seen on 23 November 2026 where processor time is counted (it was the same at any load), and a third
 * of it where flushes are waited for.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { freshDirectory, remove } from "./harness/places.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
/** Where nothing waits for the disk, the processor's time is counted: then nobody else's work is. */
const PROCESSOR = "processor";
const BLOCK = new Uint8Array(128 * 1024).fill(7);

/** Each makes ready and answers `{ ours, raw, close }`: two laps of the same work, which are timed. `odradek`: the package's exports. */
export const guards = [
  { name: "bulk append, 100 B", floor: 0.09, clock: PROCESSOR, prepare: (odradek) => bulk(odradek, 100, 20) },
  { name: "bulk append, 1 KiB", floor: 0.16, clock: PROCESSOR, prepare: (odradek) => bulk(odradek, 1024, 8) },
  { name: "durable append, 100 B", floor: 0.2, prepare: (odradek) => durable(odradek, 5) },
  { name: "one durable send", floor: 0.3, prepare: (odradek) => senders(odradek, 1, 8) },
  { name: "64 durable senders", floor: 0.25, prepare: (odradek) => senders(odradek, 64, 5) },
  { name: "scan, 100 B", floor: 0.18, clock: PROCESSOR, prepare: scan },
  { name: "for await, msgpack", floor: 0.2, clock: PROCESSOR, prepare: iterate },
  { name: "read by offset", floor: 0.33, clock: PROCESSOR, prepare: read },
  { name: "open", floor: 0.07, prepare: opening },
  // Twenty times the records: where an opening reads them, this falls to a twentieth.
  { name: "open 200,000 records as 10,000", floor: 0.3, prepare: openingMore },
];

async function topic(odradek, config = {}) {
  const directory = freshDirectory("guard");
  const log = await odradek.open(join(directory, "log"));
  await log.createTopic("t", { durability: "os", ...config });
  const producer = log.producer({ key: odradek.utf8, value: odradek.bytes });
  return { directory, log, producer };
}

async function closed({ directory, log }) {
  await log.close();
  remove(directory);
}

async function bulk(odradek, valueByteLength, batches) {
  const made = await topic(odradek, { segmentBytes: 1 << 26, retentionBytes: 1 << 26 });
  const records = someRecords("t", BATCH, valueByteLength);
  const lapBytes = batches * BATCH * framedByteLength(valueByteLength);
  const file = openSync(join(made.directory, "raw"), "w");
  let end = 0;
  return {
    ours: async () => {
      for (let batch = 0; batch < batches; batch += 1) await made.producer.sendBatch(records);
    },
    raw: () => {
      for (const until = end + lapBytes; end < until; ) end += writeSync(file, BLOCK, 0, Math.min(BLOCK.length, until - end), end);
    },
    close: async () => {
      closeSync(file);
      await closed(made);
    },
  };
}

async function durable(odradek, batches) {
  const made = await topic(odradek, { durability: "sync" });
  const records = someRecords("t", BATCH, 100);
  const append = await flushedFile(made.directory, BATCH);
  return {
    ours: async () => {
      for (let batch = 0; batch < batches; batch += 1) await made.producer.sendBatch(records);
    },
    raw: async () => {
      for (let batch = 0; batch < batches; batch += 1) await append();
    },
    close: async () => {
      await append.close();
      await closed(made);
    },
  };
}

async function senders(odradek, count, turns) {
  const made = await topic(odradek, { durability: "sync" });
  const [record] = someRecords("t", 1, 100);
  const append = await flushedFile(made.directory, count);
  const sender = async () => {
    for (let turn = 0; turn < turns; turn += 1) await made.producer.send(record);
  };
  return {
    ours: () => Promise.all(Array.from({ length: count }, sender)),
    raw: async () => {
      for (let turn = 0; turn < turns; turn += 1) await append();
    },
    close: async () => {
      await append.close();
      await closed(made);
    },
  };
}

/** Appends the bytes of so many records and awaits their flush. */
async function flushedFile(directory, records) {
  const file = await openFile(join(directory, "raw"), "w");
  const block = new Uint8Array(61 + records * framedByteLength(100)).fill(7);
  let end = 0;
  const append = async () => {
    end += writeSync(file.fd, block, 0, block.length, end);
    await file.datasync();
  };
  return Object.assign(append, { close: () => file.close() });
}

async function scan(odradek) {
  const total = 50_000;
  const made = await topic(odradek);
  for (let sent = 0; sent < total; sent += BATCH) await made.producer.sendBatch(someRecords("t", BATCH, 100));
  const framed = framedByteLength(100);
  const file = openSync(join(made.directory, "raw"), "w+");
  writeSync(file, new Uint8Array(total * framed).fill(7));
  const { bytes } = odradek;
  let sum = 0;
  return {
    ours: async () => {
      const consumer = made.log.consumer({ key: bytes, value: bytes });
      await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
      for await (const batch of consumer.batches({ until: "end" })) for (const record of batch) sum += record.key[0] + record.value[0];
      await consumer.close();
    },
    raw: () => {
      const perBlock = Math.floor((1 << 20) / framed);
      for (let at = 0; at < total * framed; at += perBlock * framed) {
        const fresh = new Uint8Array(Math.min(perBlock * framed, total * framed - at));
        readSync(file, fresh, 0, fresh.length, at);
        for (let start = 0; start < fresh.length; start += framed)
          sum += fresh.subarray(start + 8, start + 24)[0] + fresh.subarray(start + 24, start + 124)[0];
      }
    },
    close: async () => {
      closeSync(file);
      await closed(made);
      if (sum === 0) throw new Error("nothing was looked at");
    },
  };
}

async function iterate(odradek) {
  const total = 10_000;
  const made = await topic(odradek);
  const serde = odradek.msgpack();
  const value = { orderId: 12345, customer: "u-17", amount: 99.5, items: ["spool", "thread"], express: false };
  const producer = made.log.producer({ value: serde });
  await producer.sendBatch(Array.from({ length: total }, (_, index) => ({ topic: "t", key: `key-${index}`, value })));
  const context = { topic: "t", headers: [] };
  const encoded = serde.serialize(value, context);
  let seen = 0;
  return {
    ours: async () => {
      const consumer = made.log.consumer();
      await consumer.assign([{ topic: "t", partition: 0, offset: 0 }]);
      for await (const record of consumer.records({ until: "end" })) seen += record.value.items.length;
      await consumer.close();
    },
    raw: () => {
      for (let record = 0; record < total; record += 1) seen += serde.deserialize(encoded, context).items.length;
    },
    close: async () => {
      await closed(made);
      if (seen === 0) throw new Error("nothing was read");
    },
  };
}

async function read(odradek) {
  const [total, reads] = [20_000, 2_000];
  const made = await topic(odradek);
  for (let sent = 0; sent < total; sent += BATCH) await made.producer.sendBatch(someRecords("t", BATCH, 100));
  const serdes = { key: odradek.utf8, value: odradek.bytes };
  const file = openSync(join(made.directory, "raw"), "w+");
  writeSync(file, new Uint8Array(total * framedByteLength(100)).fill(7));
  const page = new Uint8Array(4096);
  let at = 1;
  const next = (bound) => {
    at = (Math.imul(at, 1103515245) + 12345) >>> 0;
    return at % bound;
  };
  return {
    ours: async () => {
      for (let each = 0; each < reads; each += 1)
        if ((await made.log.read({ topic: "t", partition: 0, offset: next(total) }, serdes)) === null)
          throw new Error("a record was not found");
    },
    raw: () => {
      for (let each = 0; each < reads; each += 1) readSync(file, page, 0, page.length, next(total * 100));
    },
    close: async () => {
      closeSync(file);
      await closed(made);
    },
  };
}

/** A directory that was closed, and a lap that opens it; what closing takes is not in the lap. */
async function openable(odradek, total) {
  const made = await topic(odradek);
  for (let sent = 0; sent < total; sent += BATCH) await made.producer.sendBatch(someRecords("t", BATCH, 100));
  await made.log.close();
  let log = null;
  return {
    lap: async () => {
      log = await odradek.open(join(made.directory, "log"));
    },
    after: async () => {
      await log?.close();
      log = null;
    },
    close: () => remove(made.directory),
  };
}

async function opening(odradek) {
  const made = await openable(odradek, 10_000);
  const directory = freshDirectory("guard");
  return {
    ours: made.lap,
    after: made.after,
    raw: () => {
      const lock = openSync(join(directory, "lock"), "w");
      spawnSync("flock", ["-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] });
      closeSync(lock);
    },
    close: () => {
      made.close();
      remove(directory);
    },
  };
}

async function openingMore(odradek) {
  const [few, many] = [await openable(odradek, 10_000), await openable(odradek, 200_000)];
  return {
    ours: many.lap,
    raw: few.lap,
    after: async () => {
      await few.after();
      await many.after();
    },
    close: () => {
      few.close();
      many.close();
    },
  };
}
