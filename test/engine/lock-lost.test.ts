/**
 * C6 where the one thing is done that must not be: the lock file of an open directory is deleted, and a second writer locks a new one.
 * The first sees it within a second, writes nothing more, and leaves the second one's books alone.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/index.ts";
import { LOCK_CHECK_INTERVAL_MS } from "../../src/engine/lock-watch.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { hashesOf, openLog, temporaryDirectory } from "../face/support.ts";

it("writes nothing more once its lock file is gone, and says so", async () => {
  const directory = temporaryDirectory();
  const clock = new ManualClock();
  const events: OdradekEvent[] = [];
  const log = await openLog(directory, { clock, onEvent: (event) => events.push(event) });
  await log.createTopic("orders");
  const producer = log.producer();
  await producer.send({ topic: "orders", key: "a", value: 1 });
  rmSync(join(directory, ".odradek-lock"));
  await clock.advance(LOCK_CHECK_INTERVAL_MS);
  await settled();
  expect(events.map(({ type }) => type)).toContain("lock.lost");
  const before = hashesOf(directory);
  await expect(producer.send({ topic: "orders", key: "a", value: 2 })).rejects.toMatchObject({ name: "StorageError", code: "LOCK_LOST" });
  await expect(log.createTopic("more")).rejects.toMatchObject({ code: "LOCK_LOST" });
  await producer.close();
  await log.close();
  // Neither the checkpoints nor the marker of a clean shutdown: another writer would believe them.
  const after = Object.keys(hashesOf(directory));
  expect(after.filter((name) => !(name in before))).toEqual([]);
});
