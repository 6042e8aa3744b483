/** How costs grow with the size of a record: about a megabyte of them a batch, on an "os" topic that takes batches of two. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { medianCallUs, medianMs, scattered } from "../harness/laps.mjs";
import { freshDirectory, remove } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";
import { sequentialRead, sequentialWrite } from "../harness/raw-file.mjs";

const MIB = 1 << 20;
const LAP_BYTES = quick ? 2 * MIB : 16 * MIB;
const ROUNDS = quick ? 3 : 7;
const READS = quick ? 20 : 200;
/** What frames a record of 10 bytes and a key of 16 is most of it; so it is counted. */
const FRAME_BYTE_LENGTH = 26;

export const axis = "bytes a value";
export const points = { full: [10, 100, 1024, 10_240, 102_400, MIB], quick: [10, 10_240] };
export const series = {
  append: { unit: "ns", expected: "linear", against: "sequential write of the same bytes" },
  scan: { unit: "ns", expected: "linear", against: "sequential read of the same bytes" },
  "durable send": { unit: "µs", expected: "linear", against: "write + fdatasync of the same bytes" },
  "read by offset": { unit: "µs", expected: "linear", against: "pread of the same bytes" },
};

export async function visit(valueByteLength, tell) {
  const directory = freshDirectory("growth");
  const log = await open(join(directory, "log"));
  await log.createTopic("t", { durability: "os", maxMessageBytes: 2 * MIB });
  await log.createTopic("durable", { maxMessageBytes: 2 * MIB });
  const producer = log.producer({ key: utf8, value: bytes });
  const framed = valueByteLength + FRAME_BYTE_LENGTH;
  const perBatch = Math.max(1, Math.min(1000, Math.floor(MIB / framed)));
  const batches = Math.max(1, Math.round(LAP_BYTES / (perBatch * framed)));
  const count = batches * perBatch;
  const record = { key: "key-000000000001", value: new Uint8Array(valueByteLength).fill(97) };
  const records = Array.from({ length: perBatch }, () => ({ topic: "t", ...record }));

  const appendMs = await medianMs(ROUNDS, async () => {
    for (let batch = 0; batch < batches; batch += 1) await producer.sendBatch(records);
  });
  const writeMs = await medianMs(ROUNDS, () => sequentialWrite(directory, count * framed));
  tell("append", (appendMs * 1e6) / count, (writeMs * 1e6) / count, ROUNDS);

  const consumer = log.consumer({ key: bytes, value: bytes });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const scanMs = await medianMs(ROUNDS, async () => {
    consumer.seek({ topic: "t", partition: 0 }, 0);
    let seen = 0;
    for await (const batch of consumer.batches({ until: "end" })) {
      for (const each of batch) seen += each.value.length === valueByteLength ? 1 : 0;
      if (seen >= count) break;
    }
  });
  const raw = join(directory, "raw");
  const file = openSync(raw, "w+");
  for (let at = 0; at < count * framed; ) at += writeSync(file, new Uint8Array(Math.min(MIB, count * framed - at)).fill(7));
  const rawScanMs = await medianMs(ROUNDS, () => sequentialRead(raw));
  tell("scan", (scanMs * 1e6) / count, (rawScanMs * 1e6) / count, ROUNDS);
  await consumer.close();

  const sends = Math.max(3, Math.min(quick ? 10 : 60, Math.round((8 * MIB) / framed)));
  const sendUs = await medianCallUs(ROUNDS, sends, () => producer.send({ topic: "durable", ...record }));
  const flushedUs = await flushedSend(join(directory, "flushed"), framed, sends);
  tell("durable send", sendUs, flushedUs, ROUNDS);

  const any = scattered(count);
  const readUs = await medianCallUs(ROUNDS, READS, async () => {
    const found = await log.read({ topic: "t", partition: 0, offset: any() }, { key: utf8, value: bytes });
    if (found?.value?.length !== valueByteLength) throw new Error("a record was not found");
  });
  const into = new Uint8Array(framed);
  const rawReadUs = await medianCallUs(ROUNDS, READS, () => readSync(file, into, 0, framed, any() * framed));
  tell("read by offset", readUs, rawReadUs, ROUNDS);
  closeSync(file);
  await log.close();
  remove(directory);
}

async function flushedSend(path, byteLength, sends) {
  const file = await openFile(path, "w");
  const block = new Uint8Array(byteLength).fill(7);
  let at = 0;
  const us = await medianCallUs(ROUNDS, sends, async () => {
    at += writeSync(file.fd, block, 0, block.length, at);
    await file.datasync();
  });
  await file.close();
  return us;
}
