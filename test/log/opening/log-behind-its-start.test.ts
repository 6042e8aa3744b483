/** An "os" log that lost records with the power, its log start among them: what is left of it when it goes on at its start, and when it may not. */
import { expect, it } from "vitest";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { get } from "../books/support.ts";
import { created, opened, type RigOptions, send } from "../log-rig.ts";
import { sendAs } from "../producer-rig.ts";

const OPTIONS: RigOptions = { config: { durability: "os" } };
const LOG = "orders-0/00000000000000000000.log";
const sent = (baseSequence: number) => ({ producerId: 7n, producerEpoch: 0, recordCount: 1, transactional: false, baseSequence });

/** One record is durable, four are not, and the log starts at the last of them. */
async function behindItsStart(): Promise<StorageDriver> {
  const disk = crashStorage();
  const { log } = await created(disk, OPTIONS);
  await sendAs(log, sent(0));
  await log.flush();
  for (const baseSequence of [1, 2, 3, 4]) await sendAs(log, sent(baseSequence));
  await log.deleteRecordsBefore(4);
  return disk.crash(new SeededRandom(1), { survival: "nothing" });
}

const segmentFiles = async (storage: StorageDriver): Promise<string[]> =>
  (await storage.list("orders-0")).flatMap(({ name }) => (/^[0-9]/.test(name) ? [name] : [])).sort();

it("the log goes on at its start, and of what lay before it no file and no producer is left", async () => {
  const storage = await behindItsStart();
  const { log } = await opened(storage, OPTIONS);
  expect(log.watermarks).toMatchObject({ logStartOffset: 4, logEndOffset: 4 });
  expect(await segmentFiles(storage)).toEqual(["index", "log", "timeindex"].map((kind) => `00000000000000000004.${kind}`));
  expect([...log.producers.lastEntries()]).toEqual([]);
  expect(await send(log, "next")).toMatchObject({ baseOffset: 4 });
  await log.close(true);
});

it("the log stays as it is where damage took the end of what was durable: nothing is removed that a repair may want", async () => {
  const storage = await behindItsStart();
  const file = await storage.open(LOG, { create: "no" });
  file.truncate(file.byteLength() - 1);
  await file.close();
  const before = [await segmentFiles(storage), await get(storage, LOG)];
  const { log } = await opened(storage, OPTIONS);
  expect(log.failure).toMatchObject({ code: "CORRUPT_MESSAGE", file: LOG });
  await expect(send(log, "next")).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
  await log.close(true);
  expect([await segmentFiles(storage), await get(storage, LOG)]).toEqual(before);
});
