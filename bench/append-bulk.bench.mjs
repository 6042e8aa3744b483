/**
 * How fast do records get through the face onto an "os" topic, beside raw writes of the same bytes in 128 KiB blocks?
 * Not answered: durable appends (append-durable), many partitions, other serdes.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
for (const [label, valueByteLength, total] of [
  ["100 B", 100, quick ? 400_000 : 1_000_000],
  ["1 KiB", 1024, quick ? 80_000 : 200_000],
]) {
  await race({
    name: `bulk append, ${label} values`,
    unit: "records/s",
    ours: async () => {
      const directory = freshDirectory("append");
      const log = await open(directory);
      await log.createTopic("t", { durability: "os" });
      const producer = log.producer({ key: utf8, value: bytes });
      const records = someRecords("t", BATCH, valueByteLength);
      const took = await seconds(async () => {
        for (let sent = 0; sent < total; sent += BATCH) await producer.sendBatch(records);
      });
      await log.close();
      remove(directory);
      return total / took;
    },
    raw: async () => {
      const directory = freshDirectory("raw");
      const file = openSync(join(directory, "raw"), "w");
      const block = new Uint8Array(128 * 1024).fill(7);
      const byteLength = total * framedByteLength(valueByteLength);
      const took = await seconds(async () => {
        for (let at = 0; at < byteLength; at += block.length) writeSync(file, block, 0, Math.min(block.length, byteLength - at), at);
      });
      closeSync(file);
      remove(directory);
      return total / took;
    },
  });
}
