/** `.snapshot`: what is written is read again, and of other bytes none is believed. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import { ProducerEntry, sequenceAfter, sequenceBefore } from "../../../src/log/producer-entry.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "../../../src/log/producer-snapshot.ts";
import { core } from "../log-rig.ts";
import { flipped } from "./support.ts";

const NAME = "orders-0/00000000000000000016.snapshot";

const entry = fc
  .record({
    producerId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    producerEpoch: fc.integer({ min: 0, max: 32767 }),
    coordinatorEpoch: fc.integer({ min: -1, max: 100 }),
    transactionFirstOffset: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
    timestamp: fc.integer({ min: -1, max: 2 ** 45 }),
    batches: fc.array(
      fc.record({ first: fc.integer({ min: 0, max: 2 ** 31 - 1 }), count: fc.integer({ min: 1, max: 1000 }), base: fc.nat() }),
      {
        maxLength: 7,
      },
    ),
  })
  .map((facts) => {
    const made = new ProducerEntry(facts.producerId);
    made.setEpoch(facts.producerEpoch);
    for (const { first, count, base } of facts.batches)
      made.addBatch(facts.producerEpoch, first, sequenceAfter(first, count - 1), base, base + count - 1, facts.timestamp);
    made.lastTimestamp = facts.timestamp;
    made.coordinatorEpoch = facts.coordinatorEpoch;
    made.transactionFirstOffset = facts.transactionFirstOffset;
    return made;
  });

function shown(entries: readonly ProducerEntry[]): unknown[] {
  return entries.map(({ producerId, producerEpoch, coordinatorEpoch, lastTimestamp, transactionFirstOffset, lastBatch }) => {
    return { producerId, producerEpoch, coordinatorEpoch, lastTimestamp, transactionFirstOffset, lastBatch: lastBatch && { ...lastBatch } };
  });
}

describe("a producer snapshot", () => {
  it("gives back each producer with its last batch, whatever its sequences", () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
        const bytes = encodeProducerSnapshot(entries, entries.length, core);
        expect(shown(decodeProducerSnapshot(bytes, NAME, core))).toEqual(shown(entries));
      }),
    );
  });

  it("is Kafka's, byte for byte", () => {
    const bytes = new Uint8Array(
      readFileSync(new URL("../../fixtures/golden/data-clean/orders-0/00000000000000000016.snapshot", import.meta.url)),
    );
    const entries = decodeProducerSnapshot(bytes, NAME, core);
    expect(entries.map(({ producerId, lastSequence }) => [producerId, lastSequence])).toEqual([
      [4000n, 11],
      [5000n, 0],
      [5001n, 0],
    ]);
    expect(encodeProducerSnapshot(entries, entries.length, core)).toEqual(bytes);
  });

  it("with any bit flipped, cut short or with bytes behind it, is not believed", () => {
    const made = new ProducerEntry(7n);
    made.addBatch(0, 5, 6, 10, 11, 1_700_000_000_000);
    const bytes = encodeProducerSnapshot([made, new ProducerEntry(8n)], 2, core);
    for (let bit = 0; bit < bytes.length * 8; bit += 1)
      expect(() => decodeProducerSnapshot(flipped(bytes, bit), NAME, core)).toThrow(CorruptionError);
    for (let length = 0; length < bytes.length; length += 1)
      expect(() => decodeProducerSnapshot(bytes.subarray(0, length), NAME, core)).toThrow(CorruptionError);
    expect(() => decodeProducerSnapshot(new Uint8Array([...bytes, 0]), NAME, core)).toThrow(CorruptionError);
  });
});

describe("sequences", () => {
  it("go round at 2^31, both ways", () => {
    expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0);
    expect(sequenceBefore(0, 1)).toBe(2 ** 31 - 1);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }), (sequence, count) => {
        expect(sequenceAfter(sequence, count)).toBe((sequence + count) % 2 ** 31);
        expect(sequenceBefore(sequenceAfter(sequence, count), count)).toBe(sequence);
      }),
    );
  });
});
