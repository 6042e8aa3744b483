/**
 * A table: a compacted topic read as a live map. Stock levels are sent as records; the table holds the newest of each article,
 * a watcher hears of every change, and after compaction and a restart the table is the same, though most records are gone.
 *
 *   node stock.mjs [directory]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "odradek";

const given = process.argv[2];
const directory = given ?? (await mkdtemp(join(tmpdir(), "odradek-table-")));
const ARTICLES = ["anvil", "bellows", "chisel", "drill", "easel"];

try {
  let log = await open(directory);
  await log.createTopic("stock", {
    cleanupPolicy: "compact",
    segmentBytes: 4096, // small, so that there is something to compact
    minCleanableDirtyRatio: 0,
    deleteRetentionMs: 0,
    ifNotExists: true,
  });
  const stock = await log.table("stock");
  const producer = log.producer();

  const watched = (async () => {
    let changes = 0;
    for await (const { key, value } of stock.watch()) {
      changes += 1;
      if (value === null) return `${changes} changes; at last: ${key} is no longer sold`;
    }
  })();

  for (let day = 1; day <= 200; day += 1) {
    for (const [index, article] of ARTICLES.entries())
      void producer.send({ topic: "stock", key: article, value: { left: (day * (index + 3)) % 17, day } });
  }
  await producer.send({ topic: "stock", key: "easel", value: null }); // a tombstone deletes
  // What was acknowledged before a get is seen by it.
  console.log("anvils left:", (await stock.get("anvil")).left);
  console.log("easels:", await stock.get("easel"));
  console.log(await watched);

  const { bytesReclaimed } = await log.maintain(); // compaction now, instead of at its hour
  console.log(bytesReclaimed > 0 ? "compaction gave back space" : "compaction had nothing to give back");
  await log.close();

  log = await open(directory);
  const again = await log.table("stock");
  const rows = [];
  for await (const [article, { left, day }] of again.entries()) rows.push(`${article} ${left} (day ${day})`);
  console.log(rows.sort().join("\n"));
  await log.close();
} finally {
  if (given === undefined) await rm(directory, { recursive: true, force: true });
}
