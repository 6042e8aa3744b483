/** `.snapshot`: what is written is read again, and of other bytes none is believed. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import { ProducerEntry, sequenceAfter, sequenceBefore } from "../../../src/log/producers/producer-entry.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot } from "../../../src/log/producers/producer-snapshot.ts";
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

  // Lengths that a true checksum covers were believed, and of what a producer of no sequences left nothing was ever looked at.
  it("is not believed when its count calls for other bytes than it has, its checksum being right", () => {
    const made = encodeProducerSnapshot([new ProducerEntry(8n)], 1, core);
    const countAt = 6;
    for (const [count, byteLength] of [
      [0, made.length],
      [2, made.length],
      [1, made.length + 1],
      [-1, made.length],
    ] as const) {
      const bytes = new Uint8Array(byteLength);
      bytes.set(made);
      const view = new DataView(bytes.buffer);
      view.setInt32(countAt, count);
      view.setUint32(2, core.crc32c(bytes.subarray(countAt)));
      expect(() => decodeProducerSnapshot(bytes, NAME, core)).toThrow(/entries call for -?\d+ bytes, found \d+/);
    }
  });

  it("that is not believed says which of its bytes, and both checksums in eight digits", () => {
    const bytes = encodeProducerSnapshot([new ProducerEntry(8n)], 1, core);
    new DataView(bytes.buffer).setUint32(2, 0x0b0c);
    const refusal = expect.objectContaining({ code: "BOOK_CORRUPT", file: NAME, byteRange: [0, bytes.length] });
    expect(() => decodeProducerSnapshot(bytes, NAME, core)).toThrow(refusal);
    expect(() => decodeProducerSnapshot(bytes, NAME, core)).toThrow(/computed crc [0-9a-f]{8}, stored 00000b0c/);
    expect(() => decodeProducerSnapshot(bytes.subarray(0, 9), NAME, core)).toThrow(/at least 10 bytes/);
  });

  it("of a producer without batches says -1 for sequence and offset, as Kafka does, and 0 for the delta", () => {
    const view = new DataView(encodeProducerSnapshot([new ProducerEntry(8n)], 1, core).buffer);
    expect([view.getBigInt64(10), view.getInt16(18), view.getInt32(20), view.getBigInt64(24), view.getInt32(32)]).toEqual([
      8n,
      -1,
      -1,
      -1n,
      0,
    ]);
  });

  it("keeps a last batch at offset 0, one of sequence 0, one that goes round, and one that has no sequences", () => {
    for (const [first, last, base, end] of [
      [0, 0, 0, 0],
      [-1, -1, 5, 9],
      [2 ** 31 - 2, 1, 0, 3],
      [2 ** 31 - 1, 0, 0, 1],
      [0, 3, 4, 7],
    ] as const) {
      const made = new ProducerEntry(8n);
      made.addBatch(3, first, last, base, end, 77);
      const [read] = decodeProducerSnapshot(encodeProducerSnapshot([made], 1, core), NAME, core);
      expect(read?.lastBatch).toEqual({ firstSequence: first, lastSequence: last, baseOffset: base, lastOffset: end, timestamp: 77 });
    }
  });
});

describe("sequences", () => {
  it("go round at 2^31, both ways", () => {
    expect(sequenceAfter(2 ** 31 - 1, 1)).toBe(0);
    // What has none counts up from there.
    expect([sequenceAfter(-1, 1), sequenceAfter(-1, 5)]).toEqual([0, 4]);
    expect(sequenceBefore(0, 1)).toBe(2 ** 31 - 1);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 2 ** 31 - 1 }), (sequence, count) => {
        expect(sequenceAfter(sequence, count)).toBe((sequence + count) % 2 ** 31);
        expect(sequenceBefore(sequenceAfter(sequence, count), count)).toBe(sequence);
      }),
    );
  });
});
