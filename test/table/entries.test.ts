/** The loop over a table's entries: over once, and it stays over; a large table is tidied in steps. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { memory, utf8 } from "../../src/index.ts";
import { openLog } from "../face/support.ts";

describe("the entries of a table", () => {
  it("are over when they were all given, when the loop was left, and when it threw", async () => {
    const log = await openLog(memory());
    await log.createTopic("users", { cleanupPolicy: "compact" });
    await log.producer({ key: utf8, value: utf8 }).send({ topic: "users", key: "k", value: "v" });
    const table = await log.table("users", { key: utf8, value: utf8 });
    const all = table.entries();
    expect([await all.next(), await all.next(), await all.next()]).toMatchObject([{ value: ["k", "v"] }, { done: true }, { done: true }]);
    const left = table.entries();
    expect(await left.return?.()).toMatchObject({ done: true });
    expect(await left.next()).toMatchObject({ done: true });
    const thrown = table.entries();
    await expect(thrown.throw?.(new Error("the loop's own"))).rejects.toThrow("the loop's own");
    expect(await thrown.next()).toMatchObject({ done: true });
    await expect(log.table("users", { key: { serialize: () => new Uint8Array(1) } as never })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("of some thousand keys, half of them deleted, are put in order in steps that others may come between", async () => {
    // Each look at this clock is 3 ms later: a turn is soon spent.
    let looks = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + 3 * looks++ };
    const log = await openLog(memory(), { clock });
    await log.createTopic("users", { cleanupPolicy: "compact" });
    const producer = log.producer({ key: utf8, value: utf8 });
    const records = Array.from({ length: 3000 }, (_, index) => ({
      topic: "users",
      key: `k${index}`,
      value: index % 2 === 0 ? null : `v${index}`,
    }));
    await producer.sendBatch(records);
    const table = await log.table("users", { key: utf8, value: utf8 });
    let count = 0;
    for await (const [key] of table.entries()) count += Number(key.slice(1)) % 2;
    expect(count).toBe(1500);
  });
});
