/** One record by its offset. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/serdes/utf8.ts";
import { turnOf } from "../../src/base/turn.ts";
import { RecordReading, readRecord } from "../../src/consumer/read-record.ts";
import { numbers, orders } from "./bed.ts";
import { FakeBroker } from "./fake-broker.ts";

async function withOrders(): Promise<{ broker: FakeBroker; read: (offset: number) => ReturnType<typeof readRecord<string, string>> }> {
  const broker = await FakeBroker.create();
  broker.addTopic("orders", 1);
  const reading = new RecordReading(broker, broker.compression, turnOf(broker.clock));
  return { broker, read: (offset) => readRecord(reading, { ...orders, offset }, utf8, utf8) };
}

describe("readRecord", () => {
  it("finds every record at its offset, whatever was read before, and nothing where none is", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ count: fc.integer({ min: 1, max: 40 }), gap: fc.nat(3) }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(200), { minLength: 1, maxLength: 60 }),
        async (batches, offsets) => {
          const { broker, read } = await withOrders();
          const there = new Map<number, string>();
          for (const { count, gap } of batches) {
            const deltas = Array.from({ length: count }, (_, index) => index * (gap === 1 ? 2 : 1));
            const base = broker.appendSparse(orders, deltas, (deltas.at(-1) ?? 0) + (gap === 0 ? 0 : gap));
            for (const delta of deltas) there.set(base + delta, String(delta));
          }
          for (const offset of offsets) {
            const record = await read(offset);
            expect(record?.value ?? null).toBe(there.get(offset) ?? null);
            if (record !== null) expect(record).toMatchObject({ topic: "orders", partition: 0, offset });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives null for control records, aborted data, data of open transactions, and beyond the end", async () => {
    const { broker, read } = await withOrders();
    broker.append(orders, [{ value: "0" }]);
    broker.append(orders, [{ value: "1" }], { producerId: 1n, transactional: true });
    broker.endTransactionOf(orders, 1n, false);
    broker.append(orders, [{ value: "3" }], { producerId: 1n, transactional: true });
    const values = [];
    for (const offset of [0, 1, 2, 3, 4, 99]) values.push((await read(offset))?.value ?? null);
    expect(values).toEqual(["0", null, null, null, null, null]);
    broker.endTransactionOf(orders, 1n, true);
    expect((await read(3))?.value).toBe("3");
  });

  it("remembers no record that was deleted, from the log's start or with its topic", async () => {
    const { broker, read } = await withOrders();
    broker.append(
      orders,
      numbers(0, 50).map((value) => ({ value })),
    );
    expect((await read(20))?.value).toBe("20");
    const fetchCount = broker.fetches.length;
    expect((await read(21))?.value).toBe("21");
    expect(broker.fetches.length).toBe(fetchCount);
    broker.partition(orders).logStartOffset = 22;
    await expect(read(21)).rejects.toMatchObject({ name: "OffsetError", range: { logStartOffset: 22 } });
    expect((await read(22))?.value).toBe("22");
    broker.removeTopic("orders");
    await expect(read(23)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    broker.addTopic("orders", 1);
    expect(await read(23)).toBe(null);
    broker.append(
      orders,
      numbers(100, 150).map((value) => ({ value })),
    );
    expect((await read(23))?.value).toBe("123");
  });

  it("keeps a bounded amount", async () => {
    const { broker, read } = await withOrders();
    const value = "x".repeat(30_000);
    for (let batch = 0; batch < 40; batch++) broker.append(orders, new Array(20).fill({ value }));
    for (let offset = 0; offset < 800; offset += 20) expect((await read(offset))?.offset).toBe(offset);
    const fetchCount = broker.fetches.length;
    await read(1);
    expect(broker.fetches.length).toBe(fetchCount + 1);
    await read(799);
    expect(broker.fetches.length).toBe(fetchCount + 1);
  });

  it("refuses what is no offset, and throws what does not deserialize", async () => {
    const { broker, read } = await withOrders();
    broker.append(orders, [{ value: new Uint8Array([0xff]) }]);
    await expect(read(-1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(read(0.5)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(read(0)).rejects.toMatchObject({ name: "SerdeError", record: { offset: 0 } });
  });
});
