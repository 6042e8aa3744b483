/** A repair that the disk refuses a step of says so, and the next one goes on where it stopped. */
import { describe, expect, it } from "vitest";
import { mendDirectory } from "../../src/cli/mending.ts";
import { contextOn, verifyDirectory } from "../../src/cli/verification.ts";
import { memory, open, utf8 } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";

describe("a repair", () => {
  it("does not take an index that may not be removed for one that is gone", async () => {
    const disk = memory();
    const log = await open({ storage: disk });
    await log.createTopic("orders", { segmentBytes: 1500, indexIntervalBytes: 100, maxMessageBytes: 1400 });
    const producer = log.producer({ key: utf8, value: utf8 });
    for (let next = 0; next < 90; next++) await producer.send({ topic: "orders", key: `k${next}`, value: `value ${next}` });
    await log.close();
    const index = await disk.open("orders-0/00000000000000000000.index", { create: "no" });
    index.writeAt(new Uint8Array(8).fill(0xff), 0);
    await index.close();
    const damaged = await verifyDirectory(await contextOn(disk, true), () => {});
    expect(damaged.partitions.flatMap(({ defects }) => defects).length).toBeGreaterThan(0);
    const storage = faultyStorage(disk);
    storage.fail({ call: "remove", name: /index$|seal$/, errno: "EACCES", times: 1 });
    await expect(contextOn(storage, false).then((context) => mendDirectory(context, () => {}))).rejects.toThrow(/remove/);
    storage.mend();
    await mendDirectory(await contextOn(disk, false), () => {});
    const { partitions } = await verifyDirectory(await contextOn(disk, true), () => {});
    expect(partitions.flatMap(({ defects }) => defects)).toEqual([]);
  });
});
