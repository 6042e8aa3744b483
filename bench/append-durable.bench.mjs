/**
 * How fast do records become durable, a flush for every thousand, beside raw write + fdatasync of the same bytes? Asked one call at a time,
 * and with the next call made while the last is flushed, as a program that has more to send would: then nothing rests while the other
 * works, on either side. The raw file grows, as the budget says; ours is long ahead of its batches (decisions/0013), so a third race,
 * without a budget, is against one that is long as well. The bare loop encodes with the core, writes and flushes into a file that was made long first.
 */

import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { appendBatch, batchesOf } from "./harness/bare-loop.mjs";
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
  const bareBatches = batchesOf(records);
  const block = new Uint8Array(61 + BATCH * framedByteLength(valueByteLength)).fill(7);
  for (const { more, lies, aheadByteLength, callsAtOnce, budget } of [
    { more: "", lies: "growing file", aheadByteLength: 0, callsAtOnce: 1, budget: { ratio: 0.8 } },
    { more: ", two calls at once", lies: "growing file", aheadByteLength: 0, callsAtOnce: 2, budget: { ratio: 0.8 } },
    { more: ", beside a long file", lies: "file made long first", aheadByteLength: LONG_BYTE_LENGTH, callsAtOnce: 1, budget: undefined },
  ]) {
    const file = await openFile(join(directory, `raw-${aheadByteLength}`), "w");
    await file.truncate(aheadByteLength);
    await file.sync();
    let at = 0;
    let flushing = Promise.resolve();
    const append = async () => {
      at += writeSync(file.fd, block, 0, block.length, at);
      await flushing;
      flushing = file.datasync();
      await flushing;
    };
    const long = await openFile(join(directory, `bare-${aheadByteLength}-${callsAtOnce}`), "w");
    await long.truncate(LONG_BYTE_LENGTH);
    await long.sync();
    let bareAt = 0;
    let bareFlushing = Promise.resolve();
    const appendBare = async () => {
      for (const batch of bareBatches) bareAt += appendBatch(long.fd, batch, bareAt);
      await bareFlushing;
      bareFlushing = long.datasync();
      await bareFlushing;
    };
    const lap = async (call) => {
      const took = await seconds(() => calls(batches, callsAtOnce, call));
      return (batches * BATCH) / took;
    };
    await race({
      name: `durable append, ${label} values, 1,000 a flush${more}`,
      unit: "records/s",
      against: `write + fdatasync of the same batches${callsAtOnce === 1 ? "" : ", each written while the last is flushed"}, ${lies}`,
      budget,
      rounds: quick ? 9 : 21,
      ours: () => lap(() => producer.sendBatch(records)),
      raw: () => lap(append),
      limits: budget === undefined ? [] : [{ name: "bare loop", does: bareDoes(callsAtOnce), lap: () => lap(appendBare) }],
    });
    await file.close();
    await long.close();
  }
  await log.close();
  remove(directory);
}

function bareDoes(callsAtOnce) {
  const when = callsAtOnce === 1 ? "then fdatasync, before the next are encoded" : "the next while the last are flushed";
  return `the same records, already bytes, encoded by the core and written, ${when}; file made long first`;
}

/** So many calls, each begun when the one `atOnce` before it has ended. */
async function calls(count, atOnce, call) {
  const begun = [];
  for (let called = 0; called < count; called += 1) {
    if (called >= atOnce) await begun[called - atOnce];
    begun.push(call());
  }
  await Promise.all(begun);
}
