/** How costs grow with senders that each await their own send, on one partition: durable, and written only. */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { percentile } from "../harness/figures.mjs";
import { medianMs } from "../harness/laps.mjs";
import { freshDirectory, remove } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";
import { framedByteLength, someRecords } from "../harness/records.mjs";

const ROUNDS = quick ? 3 : 7;
/** A lap has about as many sends for few senders as for many, and at least three turns. */
const SENDS_A_LAP = quick ? 300 : 3_000;
const TURNS_MIN = 3;
/** One sender waits for each flush alone: so many are enough. */
const TURNS_MAX = quick ? 20 : 200;
const BATCH_BYTES_MAX = 16_384;

export const axis = "senders";
export const points = { full: [1, 10, 100, 1_000, 10_000], quick: [1, 100] };
/** The raw loop's write and flush serve all senders of a turn, so that its cost a send falls: ours is judged by itself. */
const isRawShared = true;
export const series = {
  "durable send, each": {
    unit: "µs",
    expected: "constant",
    against: "the same appends, a write of up to 16 KiB at a time, one fdatasync a turn",
    isRawShared,
  },
  "written send, each": { unit: "µs", expected: "constant", against: "the same appends, written only", isRawShared },
  "durable send, p99": { unit: "ms", expected: "linear" },
};

export async function visit(senders, tell) {
  const directory = freshDirectory("growth");
  const log = await open(join(directory, "log"));
  await log.createTopic("sync");
  await log.createTopic("os", { durability: "os" });
  const producer = log.producer({ key: utf8, value: bytes });
  const turns = Math.max(TURNS_MIN, Math.min(TURNS_MAX, Math.round(SENDS_A_LAP / senders)));
  const sends = turns * senders;
  const file = await openFile(join(directory, "raw"), "w");
  const block = new Uint8Array(BATCH_BYTES_MAX).fill(7);
  let end = 0;
  for (const [topic, key] of [
    ["sync", "durable send, each"],
    ["os", "written send, each"],
  ]) {
    const [record] = someRecords(topic, 1, 100);
    const waits = [];
    const sender = async () => {
      for (let turn = 0; turn < turns; turn += 1) {
        const started = performance.now();
        await producer.send(record);
        waits.push(performance.now() - started);
      }
    };
    const ms = await medianMs(ROUNDS, () => Promise.all(Array.from({ length: senders }, sender)));
    const rawMs = await medianMs(ROUNDS, async () => {
      for (let turn = 0; turn < turns; turn += 1) {
        for (let left = 61 + senders * framedByteLength(100); left > 0; left -= BATCH_BYTES_MAX)
          end += writeSync(file.fd, block, 0, Math.min(left, BATCH_BYTES_MAX), end);
        if (topic === "sync") await file.datasync();
      }
    });
    tell(key, (ms * 1000) / sends, (rawMs * 1000) / sends, ROUNDS);
    if (topic === "sync") tell("durable send, p99", percentile(waits, 0.99), null, ROUNDS);
  }
  await file.close();
  await log.close();
  remove(directory);
}
