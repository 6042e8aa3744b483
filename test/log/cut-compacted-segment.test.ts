/**
 * A segment of a compacted topic that was cut between two of its batches looks as a broker's cleaner may leave it, and where no marker says
 * who was here last it passed for that: what was cut off was silently no more (bits:881388801). A cleaner writes the indexes anew, too.
 */
import { expect, it } from "vitest";
import { batchByteLengthAt, viewOf } from "../../src/log/batch/batch-header.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { created, NOW_MS, opened } from "./log-rig.ts";

const SEGMENT = "orders-0/00000000000000000000";

/** Closed in order, four batches in its first segment; then that was cut behind the first, and whoever closed it is not known. */
async function cut(...indexes: readonly string[]): Promise<PartitionLog> {
  const storage = memory();
  const { log } = await created(storage, KEYED);
  for (const [index, key] of ["a", "b", "c", "d"].entries()) await put(log, [[key, `${key}'s value`]], NOW_MS + index);
  await rollOver(log);
  await log.close(true);
  const file = await storage.open(`${SEGMENT}.log`, { create: "no" });
  const header = new Uint8Array(12);
  file.readAt(header, 0);
  file.truncate(batchByteLengthAt(viewOf(header), 0));
  for (const index of indexes) (await storage.open(`${SEGMENT}.${index}`, { create: "no" })).truncate(0);
  return (await opened(storage, { ...KEYED, readOnly: true, cleanShutdown: false })).log;
}

it("is not taken for a broker's work while an index names what was cut off", async () => {
  for (const log of [await cut(), await cut("index"), await cut("timeindex")]) {
    expect((await log.read(0, 1)).length).toBeGreaterThan(0);
    for (const offset of [1, 2, 3])
      await expect(log.read(offset, 1)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE", nextReadableOffset: 4 });
    expect((await readKeyed(log, 4)).map(({ key }) => key)).toEqual(["roll"]);
  }
});

it("is a gap as compaction leaves them where the indexes are of what is there", async () => {
  const log = await cut("index", "timeindex");
  expect((await readKeyed(log)).map(({ offset }) => offset)).toEqual([0, 4]);
});
