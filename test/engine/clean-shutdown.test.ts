/** The marker of a clean stop stands only where nothing is left to recover: a broker that sees it looks at nothing. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { openLog, valuesIn } from "../face/support.ts";

async function hasMarker(storage: StorageDriver): Promise<boolean> {
  return (await storage.list("")).some((entry) => entry.name === ".kafka_cleanshutdown");
}

describe("the marker of a clean stop", () => {
  it("stands after a close in which nothing had failed, and is gone while the log is open", async () => {
    const storage = memory();
    const log = await openLog(storage);
    await log.createTopic("orders");
    expect(await hasMarker(storage)).toBe(false);
    await log.producer().send({ topic: "orders", value: 1 });
    await log.close();
    expect(await hasMarker(storage)).toBe(true);
  });

  it.each(["before the close", "in the close"])(
    "is not written when a partition failed %s; the next open recovers it, and then it is",
    async (when) => {
      const storage = memory();
      const faulty = faultyStorage(storage);
      const log = await openLog(faulty);
      await log.createTopic("orders", { partitions: 2, durability: when === "in the close" ? "os" : "sync" });
      await log.producer().send({ topic: "orders", partition: 1, value: "kept" });
      faulty.fail({ call: "sync", name: /^orders-0\/.*\.log$/, errno: "EIO" });
      const sent = log.producer({ acks: 1 }).send({ topic: "orders", partition: 0, value: "doubtful" });
      await sent.catch(() => {});
      await log.close().catch(() => {});
      expect(await hasMarker(storage)).toBe(false);
      const again = await openLog(storage);
      expect(await valuesIn(again, "orders")).toContain("kept");
      await again.close();
      expect(await hasMarker(storage)).toBe(true);
    },
  );
});
