/** How fast do records become durable, a flush for every thousand, beside raw write + fdatasync of the same bytes into a growing file? */

import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
for (const [label, valueByteLength, total] of [
  ["100 B", 100, quick ? 100_000 : 400_000],
  ["1 KiB", 1024, quick ? 30_000 : 100_000],
]) {
  await race({
    name: `durable append, ${label} values, 1,000 a flush`,
    unit: "records/s",
    ours: async () => {
      const directory = freshDirectory("durable");
      const log = await open(directory);
      await log.createTopic("t");
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
      const file = await openFile(join(directory, "raw"), "w");
      const block = new Uint8Array(61 + BATCH * framedByteLength(valueByteLength)).fill(7);
      let at = 0;
      const took = await seconds(async () => {
        for (let sent = 0; sent < total; sent += BATCH) {
          at += writeSync(file.fd, block, 0, block.length, at);
          await file.datasync();
        }
      });
      await file.close();
      remove(directory);
      return total / took;
    },
  });
}
