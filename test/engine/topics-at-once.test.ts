/** Partitions of a topic are made side by side: how many flushes that takes, and what is left when one of them fails. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { openLog, sendAll } from "../face/support.ts";

const PARTITIONS = 12;

describe("a topic of many partitions", () => {
  it("takes no more than seven flushes for each and a few for all: those of one directory are shared", async () => {
    const disk = faultyStorage(memory());
    const log = await openLog(disk);
    const before = disk.count("sync") + disk.count("syncDirectory");
    await log.createTopic("orders", { partitions: PARTITIONS });
    expect(disk.count("sync") + disk.count("syncDirectory") - before).toBeLessThanOrEqual(7 * PARTITIONS + 10);
    await log.close();
  });

  it.each(["sync", "syncDirectory", "open", "createDirectory"] as const)(
    "is taken back whole where one %s fails while others are under way, and can be made then",
    async (call) => {
      for (let nth = 3; nth < 40; nth += 6) {
        const disk = faultyStorage(memory());
        const log = await openLog(disk);
        disk.fail({ call, nth, errno: "EIO" });
        const refusal: unknown = await log.createTopic("orders", { partitions: PARTITIONS }).then(
          () => null,
          (error: unknown) => error,
        );
        disk.mend();
        if (refusal !== null) {
          expect(refusal).toMatchObject({ name: "StorageError" });
          expect((await disk.list("")).map(({ name }) => name).filter((name) => name.startsWith("orders-"))).toEqual([]);
          await log.createTopic("orders", { partitions: PARTITIONS });
        }
        for (let partition = 0; partition < PARTITIONS; partition += 1) expect(await sendAll(log, "orders", ["a", "b"], partition)).toBe(0);
        await log.close();
      }
    },
  );
});
