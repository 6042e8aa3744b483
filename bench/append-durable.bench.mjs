/** How fast do records become durable, a flush for every thousand, beside raw write + fdatasync of the same bytes into a growing file? */

import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
for (const [label, valueByteLength, batches] of [
  ["100 B", 100, quick ? 10 : 100],
  ["1 KiB", 1024, quick ? 8 : 40],
]) {
  const directory = freshDirectory("durable");
  const log = await open(join(directory, "log"));
  await log.createTopic("t");
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", BATCH, valueByteLength);
  const file = await openFile(join(directory, "raw"), "w");
  const block = new Uint8Array(61 + BATCH * framedByteLength(valueByteLength)).fill(7);
  let at = 0;
  await race({
    name: `durable append, ${label} values, 1,000 a flush`,
    unit: "records/s",
    against: "write + fdatasync of the same batches, growing file",
    budget: { ratio: 0.8 },
    rounds: quick ? 9 : 21,
    ours: async () => {
      const took = await seconds(async () => {
        for (let sent = 0; sent < batches; sent += 1) await producer.sendBatch(records);
      });
      return (batches * BATCH) / took;
    },
    raw: async () => {
      const took = await seconds(async () => {
        for (let sent = 0; sent < batches; sent += 1) {
          at += writeSync(file.fd, block, 0, block.length, at);
          await file.datasync();
        }
      });
      return (batches * BATCH) / took;
    },
  });
  await file.close();
  await log.close();
  remove(directory);
}
