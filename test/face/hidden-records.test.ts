/** What a reader may not see is passed over, however much of it there is: the record behind it is found. */
import { describe, expect, it } from "vitest";
import { memory, utf8 } from "../../src/index.ts";
import { openLog } from "./support.ts";

describe("a poll that does not wait", () => {
  it("finds the record behind more aborted ones than one fetch brings", async () => {
    // The first fetch held nothing but a transaction that was taken back: the poll answered with nothing, and a loop "until poll is
    // empty" ended before the first record.
    const log = await openLog(memory());
    await log.createTopic("orders");
    const producer = log.producer({ key: utf8, value: utf8, transactionalId: "t" });
    const takenBack = producer.transaction(async (tx) => {
      for (let count = 0; count < 20; count += 1) await tx.send({ topic: "orders", value: "taken back".repeat(20) });
      throw new Error("taken back");
    });
    await expect(takenBack).rejects.toThrow("taken back");
    await producer.transaction((tx) => tx.send({ topic: "orders", value: "kept" }));
    const consumer = log.consumer({ key: utf8, value: utf8, fetchMaxBytes: 300 });
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    expect((await consumer.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["kept"]);
    expect(await consumer.poll({ timeoutMs: 0 })).toEqual([]);
  });
});
