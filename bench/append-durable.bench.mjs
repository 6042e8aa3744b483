/**
 * How fast do records become durable, a flush for every thousand, beside raw write + fdatasync of the same bytes? The raw file grows, as the
 * budget says; ours is long ahead of its batches (decisions/0013), so a second race, without a budget, is against one that is long as well.
 */

import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { freshDirectory, remove } from "./harness/places.mjs";
import { quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

const BATCH = 1000;
/** More than a race writes: holes, which take no room. */
const LONG_BYTE_LENGTH = 8 * 1024 ** 3;
for (const [label, valueByteLength, batches] of [
  ["100 B", 100, quick ? 10 : 100],
  ["1 KiB", 1024, quick ? 8 : 40],
]) {
  const directory = freshDirectory("durable");
  const log = await open(join(directory, "log"));
  await log.createTopic("t");
  const producer = log.producer({ key: utf8, value: bytes });
  const records = someRecords("t", BATCH, valueByteLength);
  const block = new Uint8Array(61 + BATCH * framedByteLength(valueByteLength)).fill(7);
  for (const { lies, aheadByteLength, budget } of [
    { lies: "growing file", aheadByteLength: 0, budget: { ratio: 0.8 } },
    { lies: "file made long first", aheadByteLength: LONG_BYTE_LENGTH, budget: undefined },
  ]) {
    const file = await openFile(join(directory, `raw-${aheadByteLength}`), "w");
    await file.truncate(aheadByteLength);
    await file.sync();
    let at = 0;
    await race({
      name: `durable append, ${label} values, 1,000 a flush${budget === undefined ? ", beside a long file" : ""}`,
      unit: "records/s",
      against: `write + fdatasync of the same batches, ${lies}`,
      budget,
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
  }
  await log.close();
  remove(directory);
}
