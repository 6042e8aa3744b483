/**
 * How costs grow with the segments of one partition: each holds one record of 3,000 bytes, so that every append rolls. Those that must
 * stand before the laps are rolled without flushes.
 */
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { heldMiB, medianCallUs, medianMs, openAndClose, scattered } from "../harness/laps.mjs";
import { freshDirectory } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";
import { flushedWrite } from "../harness/raw-file.mjs";
import { unflushedStorage } from "../harness/unflushed-storage.mjs";

const READS = quick ? 20 : 200;
const ROUNDS = quick ? 3 : 7;
const ROLLS_A_LAP = 3;
const VALUE_BYTE_LENGTH = 3000;

export const axis = "segments";
export const points = { full: [10, 100, 1_000, 10_000], quick: [10, 40] };
export const series = {
  "append that rolls": { unit: "ms", expected: "constant", against: "write + fdatasync of the same bytes" },
  "read by offset": { unit: "µs", expected: "constant" },
  "retention finds nothing to do": { unit: "ms", expected: "linear" },
  open: { unit: "ms", expected: "linear" },
  close: { unit: "ms", expected: "linear" },
  "anonymous memory": { unit: "MiB", expected: "linear" },
};

const root = freshDirectory("growth");
const directory = join(root, "log");
const record = { topic: "t", key: null, value: new Uint8Array(VALUE_BYTE_LENGTH).fill(97) };
let stands = 0;

export async function visit(total, tell) {
  await fill(total - ROLLS_A_LAP * (ROUNDS + 1));
  const log = await openLog(directory);
  const producer = log.producer({ key: utf8, value: bytes });
  const lapMs = await medianMs(ROUNDS, async () => {
    for (let roll = 0; roll < ROLLS_A_LAP; roll += 1) await append(producer);
  });
  const rawMs = await medianMs(ROUNDS, () => flushedWrite(root, ROLLS_A_LAP * VALUE_BYTE_LENGTH, VALUE_BYTE_LENGTH));
  tell("append that rolls", lapMs / ROLLS_A_LAP, rawMs / ROLLS_A_LAP, ROUNDS);
  const any = scattered(stands);
  const readUs = await medianCallUs(ROUNDS, READS, async () => {
    if ((await log.read({ topic: "t", partition: 0, offset: any() }, { key: utf8, value: bytes })) === null)
      throw new Error("a record was not found");
  });
  tell("read by offset", readUs, null, ROUNDS);
  tell("retention finds nothing to do", await medianMs(ROUNDS, () => log.maintain()), null, ROUNDS);
  await log.close();
  const { openMs, closeMs } = await openAndClose(directory, total < 10_000 ? ROUNDS : 1);
  tell("open", openMs, null, ROUNDS);
  tell("close", closeMs, null, ROUNDS);
  tell("anonymous memory", heldMiB(directory));
}

async function fill(count) {
  const log = await openLog({ storage: unflushedStorage(directory) });
  const producer = log.producer({ key: utf8, value: bytes });
  while (stands < count) await append(producer);
  await log.close();
}

async function openLog(place) {
  const log = await open(place);
  await log.createTopic("t", { durability: "os", segmentBytes: 4096, ifNotExists: true });
  return log;
}

async function append(producer) {
  await producer.send(record);
  stands += 1;
}
