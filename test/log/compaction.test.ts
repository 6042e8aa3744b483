/** One partition compacted: what stays, what goes, and what the files look like afterwards. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { compactAll, KEYED, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { created, opened } from "./log-rig.ts";

describe("compaction of a partition", () => {
  it("keeps the newest value of each key, at its offset", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    for (let round = 0; round < 10; round += 1)
      await put(log, [
        ["a", `a${round}`],
        ["b", `b${round}`],
      ]);
    await rollOver(log);
    const result = await compactAll(log);
    const records = await readKeyed(log);
    expect(records.filter(({ key }) => key !== "roll")).toEqual([
      { offset: 18, key: "a", value: "a9" },
      { offset: 19, key: "b", value: "b9" },
    ]);
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore);
    await log.close(true);
    const again = await opened(storage, { ...KEYED, cleanShutdown: true });
    expect(await readKeyed(again.log)).toEqual(records);
    await again.log.close(true);
  });
});
