/**
 * What do producer id and sequence cost: an append as it is by default, beside the same one without idempotence, on an "os" topic where
 * no flush hides it? And both beside raw writes of the same bytes. Laps are short and take turns.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const LAP_SECONDS = 0.04;
const ROUNDS = quick ? 15 : 61;
/** Beyond this a file is begun anew, which is not timed. */
const FILE_BYTES_MAX = 300e6;
const BLOCK = new Uint8Array(128 * 1024).fill(7);

for (const [label, batch] of [
  ["sendBatch of 1,000", 1000],
  ["sendBatch of 10", 10],
  ["one send at a time", 1],
]) {
  const directory = freshDirectory("idempotent");
  const log = await open(join(directory, "log"));
  const file = openSync(join(directory, "raw"), "w");
  const records = someRecords("t", batch, 100);
  const byteLength = 61 + batch * framedByteLength(100);
  let written = Number.POSITIVE_INFINITY;
  let raw = 0;
  /** Both append to the same file. */
  const lapOf = (producer) => async () => {
    if (written > FILE_BYTES_MAX) {
      if (Number.isFinite(written)) await log.deleteTopic("t");
      await log.createTopic("t", { durability: "os" });
      await producer.sendBatch(records);
      written = 0;
    }
    return await timed(async () => {
      written += byteLength;
      await (batch === 1 ? producer.send(records[0]) : producer.sendBatch(records));
    });
  };
  const timed = async (append) => {
    let batches = 0;
    let took = 0;
    for (const started = performance.now(); took < LAP_SECONDS; took = (performance.now() - started) / 1000) {
      await append();
      batches += 1;
    }
    return (batches * batch) / took;
  };
  const options = { key: utf8, value: bytes };
  const idempotent = lapOf(log.producer(options));
  const plain = lapOf(log.producer({ ...options, enableIdempotence: false }));
  const block = BLOCK.subarray(0, Math.min(BLOCK.length, byteLength));
  const writes = async () => {
    if (raw > FILE_BYTES_MAX) {
      ftruncateSync(file, 0);
      raw = 0;
    }
    return await timed(() => {
      const end = raw + byteLength;
      while (raw < end) raw += writeSync(file, block, 0, Math.min(block.length, end - raw), raw);
    });
  };
  const unit = "records/s";
  await race({ name: `${label}: idempotent beside plain`, unit, rounds: ROUNDS, ours: idempotent, raw: plain });
  await race({ name: `${label}: idempotent beside raw writes`, unit, rounds: ROUNDS, ours: idempotent, raw: writes });
  closeSync(file);
  await log.close();
  remove(directory);
}
