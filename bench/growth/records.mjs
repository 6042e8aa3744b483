/** How costs grow with the records in one partition: small ones, in batches of a thousand, appended to the same log from point to point. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { heldMiB, medianCallUs, medianMs, openAndClose, scattered } from "../harness/laps.mjs";
import { freshDirectory } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";
import { sequentialWrite } from "../harness/raw-file.mjs";

const BATCH = 1000;
const VALUE_BYTE_LENGTH = 10;
const FRAMED_BYTE_LENGTH = VALUE_BYTE_LENGTH + 8;
const BATCHES_A_LAP = quick ? 5 : 50;
const READS = quick ? 50 : 300;
const ROUNDS = quick ? 3 : 7;

export const axis = "records";
export const points = { full: [1e5, 1e6, 1e7, 1e8], quick: [1e4, 1e5] };
export const series = {
  append: { unit: "ns/record", expected: "constant", against: "sequential write of the same bytes" },
  "read by offset": { unit: "µs", expected: "constant", against: "pread of 4 KiB" },
  "offset for a time": { unit: "µs", expected: "constant", against: "pread of 4 KiB" },
  "scan of the last 100,000": { unit: "ns/record", expected: "constant" },
  open: { unit: "ms", expected: "constant" },
  close: { unit: "ms", expected: "constant" },
  "anonymous memory": { unit: "MiB", expected: "constant" },
};

const root = freshDirectory("growth");
const directory = join(root, "log");
const record = { topic: "t", key: null, value: new Uint8Array(VALUE_BYTE_LENGTH).fill(97) };
let stands = 0;

export async function visit(total, tell) {
  const log = await open(directory);
  // Their times are of 2023: what is older than a week would be retained away, and a log of a hundred million be shorter than that.
  await log.createTopic("t", { durability: "os", retentionMs: Number.POSITIVE_INFINITY, ifNotExists: true });
  const producer = log.producer({ key: utf8, value: bytes });
  // A time of its own for every batch, so that a time can be searched for.
  const append = async () => {
    await producer.sendBatch(Array.from({ length: BATCH }, () => ({ ...record, timestamp: 1_700_000_000_000 + stands })));
    stands += BATCH;
  };
  const laps = BATCHES_A_LAP * (ROUNDS + 1);
  while (stands < total - laps * BATCH) await append();
  const same = Array.from({ length: BATCH }, () => ({ ...record, timestamp: 1_700_000_000_000 + stands }));
  const appendMs = await medianMs(ROUNDS, async () => {
    for (let batch = 0; batch < BATCHES_A_LAP; batch += 1) await producer.sendBatch(same);
    stands += BATCHES_A_LAP * BATCH;
  });
  const lapBytes = BATCHES_A_LAP * BATCH * FRAMED_BYTE_LENGTH;
  const rawMs = await medianMs(ROUNDS, () => sequentialWrite(root, lapBytes));
  const perRecord = 1e6 / (BATCHES_A_LAP * BATCH);
  tell("append", appendMs * perRecord, rawMs * perRecord, ROUNDS);

  const preadUs = await rawRead();
  const anyOffset = scattered(stands);
  const readUs = await medianCallUs(ROUNDS, READS, async () => {
    if ((await log.read({ topic: "t", partition: 0, offset: anyOffset() }, { key: utf8, value: bytes })) === null)
      throw new Error("a record was not found");
  });
  tell("read by offset", readUs, preadUs, ROUNDS);

  const consumer = log.consumer({ key: bytes, value: bytes });
  const partition = { topic: "t", partition: 0 };
  await consumer.assign([partition]);
  const anyTime = scattered(stands - laps * BATCH);
  const timeUs = await medianCallUs(ROUNDS, READS, () => consumer.offsetForTime(partition, 1_700_000_000_000 + anyTime()));
  tell("offset for a time", timeUs, preadUs, ROUNDS);

  const tail = Math.min(stands, 100_000);
  const scanMs = await medianMs(ROUNDS, async () => {
    consumer.seek(partition, stands - tail);
    let seen = 0;
    for await (const batch of consumer.batches({ until: "end" })) for (const each of batch) seen += each.value.length > 0 ? 1 : 0;
    if (seen !== tail) throw new Error(`expected ${tail} records, saw ${seen}`);
  });
  tell("scan of the last 100,000", (scanMs * 1e6) / tail, null, ROUNDS);
  await consumer.close();
  await log.close();

  const { openMs, closeMs } = await openAndClose(directory, ROUNDS);
  tell("open", openMs, null, ROUNDS);
  tell("close", closeMs, null, ROUNDS);
  tell("anonymous memory", heldMiB(directory));
}

async function rawRead() {
  const segment = join(
    directory,
    "t-0",
    readdirSync(join(directory, "t-0")).find((name) => name.endsWith(".log")),
  );
  const file = openSync(segment, "r");
  const page = new Uint8Array(4096);
  const any = scattered(Math.max(1, statSync(segment).size - page.length));
  const us = await medianCallUs(ROUNDS, READS, () => readSync(file, page, 0, page.length, any()));
  closeSync(file);
  return us;
}
