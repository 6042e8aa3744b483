/** A flush asks the disk for what is not durable yet, and for nothing else. */
import { expect, it } from "vitest";
import { createLog } from "../../../src/log/opening/create-log.ts";
import { syncSegments } from "../../../src/log/opening/segment-sync.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/index.ts";
import { rig } from "../log-rig.ts";

it("is done at once where nothing was written and no segment is new, whatever state the disk is in", async () => {
  const storage = faultyStorage(memory());
  const { context, spec } = rig(storage);
  const log = await createLog(context, spec);
  const { active } = log.segments;
  storage.fail({ call: ["sync", "syncDirectory"], errno: "EIO", times: Number.POSITIVE_INFINITY });
  await syncSegments(log, active, active);
  active.directoryUnflushed = true;
  await expect(syncSegments(log, active, active)).rejects.toThrow("EIO");
  expect(active.directoryUnflushed).toBe(true);
});
