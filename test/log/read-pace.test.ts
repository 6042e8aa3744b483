/** What a pass reads ahead: what comes slowly. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { READ_STEP_BYTE_LENGTH, ReadPace } from "../../src/log/segment/read-pace.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { NOW_MS, rig } from "./log-rig.ts";

/** Reads of a storage that takes so long for each. */
async function passOver(readMs: number): Promise<{ aheadCount: number; readCount: number }> {
  const clock = new ManualClock(NOW_MS);
  let monotonicMs = 0;
  clock.monotonic = () => monotonicMs;
  const storage = memory();
  let counts = { aheadCount: 0, readCount: 0 };
  const { open } = storage;
  storage.open = async (name, options) => {
    const file = await open.call(storage, name, options);
    if (!name.endsWith(".log")) return file;
    const { readAt, readAhead } = file;
    file.readAt = (into, position) => {
      counts.readCount += 1;
      monotonicMs += readMs;
      return readAt.call(file, into, position);
    };
    file.readAhead = (position, byteLength) => {
      counts.aheadCount += 1;
      return readAhead.call(file, position, byteLength);
    };
    return file;
  };
  const { context, spec } = rig(storage, { ...KEYED, clock });
  const log = await PartitionLog.create(context, spec);
  for (let i = 0; i < 8; i += 1) await put(log, [["a", `a${i}`.padEnd(200)]]);
  await rollOver(log);
  counts = { aheadCount: 0, readCount: 0 };
  await compactAll(log);
  const { aheadCount, readCount } = counts;
  expect((await readKeyed(log)).filter(({ key }) => key === "a")).toEqual([{ offset: 7, key: "a", value: "a7".padEnd(200) }]);
  await log.close(false);
  return { aheadCount, readCount };
}

describe("the pace of reading", () => {
  it("is cold from a step that took long until much was read ahead, and no step is tried for longer than one at a time", () => {
    const clock = new ManualClock(NOW_MS);
    let monotonicMs = 0;
    clock.monotonic = () => monotonicMs;
    const pace = new ReadPace(clock);
    const step = (tookMs: number): boolean => {
      pace.step(READ_STEP_BYTE_LENGTH, () => {
        monotonicMs += tookMs;
      });
      return pace.isCold;
    };
    expect([pace.isCold, step(0.1), step(1), step(5)]).toEqual([false, false, false, true]);
    let readAheadCount = 0;
    while (pace.isCold) {
      // However long they take: these were waited for before.
      step(5);
      readAheadCount += 1;
    }
    expect(readAheadCount * READ_STEP_BYTE_LENGTH).toBe(16 * 1024 * 1024);
    expect([step(0.1), step(5)]).toEqual([false, true]);
  });

  it("has a pass read ahead what comes slowly, and nothing that comes at once", async () => {
    const fast = await passOver(0);
    expect([fast.aheadCount, fast.readCount > 3]).toEqual([0, true]);
    const slow = await passOver(10);
    expect(slow.aheadCount).toBeGreaterThan(slow.readCount / 2);
  });
});
