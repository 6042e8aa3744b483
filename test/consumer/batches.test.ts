/** The fast path: stored batches of lazy views. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes } from "../../src/base/serdes/bytes.ts";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

describe("batches()", () => {
  it("gives stored batches whole, with the fields of plain records, decoded once each", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ key: "a", value: "0", timestamp: 5, headers: [["h", "x"]] }, { value: null }]);
    broker.append(orders, [{ value: "2" }]);
    let decoded = 0;
    const counting = { deserialize: (view: Uint8Array) => ({ text: new TextDecoder().decode(view), count: ++decoded }) };
    const reader = consumer({ value: counting });
    await reader.assign([orders]);
    const shapes = [];
    for await (const batch of reader.batches({ until: "end" })) {
      shapes.push([batch.topic, batch.partition, batch.firstOffset, batch.lastOffset, batch.length]);
      if (batch.firstOffset !== 0) continue;
      const [first, second] = [...batch];
      expect(decoded).toBe(0);
      expect(first?.value).toBe(first?.value);
      expect(decoded).toBe(1);
      expect({ key: first?.key, offset: first?.offset, timestamp: first?.timestamp, headers: first?.headers }).toEqual({
        key: "a",
        offset: 0,
        timestamp: 5,
        headers: [["h", new Uint8Array([120])]],
      });
      expect([second?.topic, second?.partition, second?.key, second?.value, second?.headers]).toEqual(["orders", 0, null, null, []]);
    }
    expect(shapes).toEqual([
      ["orders", 0, 0, 1, 2],
      ["orders", 0, 2, 2, 1],
    ]);
  });

  it("may be gone through again, and its views outlive the loop", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 10).map((value) => ({ value })),
    );
    const reader = consumer({ value: bytes });
    await reader.assign([orders]);
    const kept = [];
    for await (const batch of reader.batches({ until: "end" })) {
      expect([...batch].length).toBe([...batch].length);
      kept.push(...batch);
    }
    for (let batch = 0; batch < 20; batch++)
      broker.append(
        orders,
        numbers(0, 10).map((value) => ({ value: value + value })),
      );
    await valuesToEnd(reader);
    expect(kept.map(({ value }) => new TextDecoder().decode(value ?? undefined))).toEqual(numbers(0, 10));
  });

  it("tells the exact timestamp where the number cannot", async () => {
    const { broker, consumer } = await bed();
    broker.appendSparse(orders, [0], 0, { baseTimestamp: 1_700_000_000_123_456_789n });
    broker.append(orders, [{ value: "x", timestamp: 1234 }]);
    const reader = consumer();
    await reader.assign([orders]);
    const exact = [];
    for await (const batch of reader.batches({ until: "end" })) {
      for (const record of batch) exact.push([record.timestamp, (record as unknown as { timestampInt64: bigint }).timestampInt64]);
    }
    expect(exact).toEqual([
      [Number(1_700_000_000_123_456_789n), 1_700_000_000_123_456_789n],
      [1234, 1234n],
    ]);
  });

  it("is one thing in hand: left by a break it comes again, and commit(batch) covers all of it", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 4).map((value) => ({ value })),
    );
    broker.append(
      orders,
      numbers(4, 8).map((value) => ({ value })),
    );
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    for await (const batch of reader.batches()) {
      expect(await reader.position(orders)).toBe(4);
      await reader.commit();
      expect(broker.committedOf("g", orders)).toBe(null);
      await reader.commit(batch);
      break;
    }
    expect(broker.committedOf("g", orders)).toBe(4);
    for await (const batch of reader.batches()) {
      expect(batch.firstOffset).toBe(0);
      break;
    }
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(4);
  });

  it("begins in the middle of a stored batch when the position lies there", async () => {
    const { broker, consumer } = await bed();
    broker.append(
      orders,
      numbers(0, 6).map((value) => ({ value })),
    );
    const reader = consumer();
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    for await (const batch of reader.batches({ until: "end" })) {
      expect([batch.firstOffset, batch.lastOffset, batch.length]).toEqual([2, 5, 4]);
      expect([...batch].map(({ value }) => value)).toEqual(["2", "3", "4", "5"]);
    }
  });

  it("tells what compaction left: length, first and last record, and every record once, from any offset on", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ deltas: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }), last: fc.integer({ min: 9, max: 12 }) }),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        fc.nat(50),
        async (batches, from) => {
          const { broker, consumer } = await bed();
          const offsets: number[] = [];
          for (const { deltas, last } of batches) {
            const base = broker.appendSparse(
              orders,
              [...deltas].sort((a, b) => a - b),
              last,
            );
            offsets.push(...[...deltas].sort((a, b) => a - b).map((delta) => base + delta));
          }
          const end = broker.partition(orders).endOffset;
          const start = Math.min(from, end);
          const [lazy, plain] = [consumer(), consumer()];
          const seen: number[] = [];
          await lazy.assign([orders]);
          lazy.seek(orders, start);
          for await (const batch of lazy.batches({ until: "end" })) {
            const views = [...batch];
            expect([batch.length, batch.firstOffset, batch.lastOffset]).toEqual([views.length, views[0]?.offset, views.at(-1)?.offset]);
            seen.push(...views.map(({ offset }) => offset));
          }
          await plain.assign([orders]);
          plain.seek(orders, start);
          const records = [];
          for await (const { offset } of plain.records({ until: "end" })) records.push(offset);
          expect(seen).toEqual(offsets.filter((offset) => offset >= start));
          expect(records).toEqual(seen);
          expect([await lazy.position(orders), await plain.position(orders)]).toEqual([end, end]);
        },
      ),
      { numRuns: 60 },
    );
  });
});
