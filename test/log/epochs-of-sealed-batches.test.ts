/**
 * `leader-epoch-checkpoint` is Kafka's, and has no checksum. A batch that the sums of a clean close vouch for needs no second witness: a
 * read of it never asked for one, but the search for what lies behind a gap did, and a consumer that began in the gap was told of damage
 * where there was none, and passed over the records behind it.
 */
import { expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { put as putFile } from "./books/support.ts";
import { compactAll, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { created, opened, type RigOptions } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { cleanupPolicy: "compact", segmentBytes: 450, indexIntervalBytes: 100, maxMessageBytes: 4000 } };

it("a wrong leader epoch in Kafka's checkpoint takes no record from whoever begins in a gap of what was closed in order", async () => {
  const storage = memory();
  const { log } = await created(storage, OPTIONS);
  for (const key of ["a", "b", "b", "c", "b", "d"]) await put(log, [[key, `value of ${key}`]]);
  await rollOver(log);
  await compactAll(log);
  await log.deleteRecordsBefore(1);
  await put(log, [["e", "last"]]);
  const whole = await readKeyed(log);
  expect(whole[0]?.offset).toBeGreaterThan(log.watermarks.logStartOffset);
  await log.close(true);
  await putFile(storage, "orders-0/leader-epoch-checkpoint", new TextEncoder().encode("0\n1\n7 1\n"));
  for (const readOnly of [true, false]) {
    const { log: again } = await opened(storage, { ...OPTIONS, cleanShutdown: true, readOnly });
    for (let offset = again.watermarks.logStartOffset; offset < again.watermarks.logEndOffset; offset += 1) {
      expect(await readKeyed(again, offset)).toEqual(whole.filter((record) => record.offset >= offset));
      expect(await again.offsetForTime(0)).not.toBe(null);
    }
    await again.close(false);
  }
});
