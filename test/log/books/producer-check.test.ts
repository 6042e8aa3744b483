/**
 * The rules for a producer's batch, at their edges. They were met through whole logs alone, where an epoch a little older, a
 * sequence that goes round and a repetition of the fifth batch back do not come up by themselves.
 */
import { describe, expect, it } from "vitest";
import { ProducerStateError } from "../../../src/base/errors.ts";
import { checkBatch, checkMarker, type ProducerClaim } from "../../../src/log/producers/producer-check.ts";
import { ProducerEntry, REMEMBERED_BATCHES_MAX } from "../../../src/log/producers/producer-entry.ts";

const WHERE = "orders-0";
const claim = (producerEpoch: number, firstSequence: number, lastSequence = firstSequence, transactional = false): ProducerClaim => ({
  producerEpoch,
  firstSequence,
  lastSequence,
  transactional,
});

/** A producer of epoch 3 that has written batches of these sequences, ten offsets apart. */
function producer(...batches: (readonly [first: number, last: number])[]): ProducerEntry {
  const entry = new ProducerEntry(9n);
  entry.setEpoch(3);
  for (const [index, [first, last]] of batches.entries())
    entry.addBatch(3, first, last, index * 10, index * 10 + (last - first), 1000 + index);
  return entry;
}

const check = (entry: ProducerEntry | null, given: ProducerClaim) => checkBatch(entry, given, 9n, WHERE);
const refused = (code: string) => expect.objectContaining({ name: ProducerStateError.name, code });

describe("a batch of a producer", () => {
  it("is taken with any sequence and epoch when nothing is known of its producer", () => {
    for (const entry of [null, new ProducerEntry(9n)]) {
      expect(check(entry, claim(0, 0))).toBeNull();
      expect(check(entry, claim(7, 4711, 4800))).toBeNull();
    }
  });

  it("follows the one before it, and nothing else does", () => {
    const entry = producer([0, 4]);
    expect(check(entry, claim(3, 5, 9))).toBeNull();
    for (const first of [1, 4, 6, 2 ** 31 - 1]) {
      expect(() => check(entry, claim(3, first, first)), `${first}`).toThrow(refused("OUT_OF_ORDER_SEQUENCE_NUMBER"));
    }
    expect(() => check(entry, claim(3, 6))).toThrow(/orders-0: producer 9, epoch 3: expected sequence 5, found 6/);
  });

  it("begins at 0 after nothing but markers, in the same epoch and in a newer one", () => {
    for (const entry of [producer(), producer([0, 4])]) {
      expect(check(entry, claim(4, 0, 2))).toBeNull();
      expect(() => check(entry, claim(4, 5))).toThrow(/expected sequence 0, found 5/);
    }
    expect(check(producer(), claim(3, 0))).toBeNull();
    expect(() => check(producer(), claim(3, 1))).toThrow(/expected sequence 0, found 1/);
  });

  it("goes round to 0 after the largest sequence", () => {
    const entry = producer([2 ** 31 - 3, 2 ** 31 - 1]);
    expect(check(entry, claim(3, 0, 1))).toBeNull();
    expect(() => check(entry, claim(3, 1))).toThrow(/expected sequence 0, found 1/);
  });

  it("is known again as one of the last five, with the offsets it was given, and by both its sequences alone", () => {
    const all = Array.from({ length: 7 }, (_, i) => [i * 5, i * 5 + 4] as const);
    const entry = producer(...all);
    for (const [index, [first, last]] of all.entries()) {
      if (index < all.length - REMEMBERED_BATCHES_MAX) {
        expect(() => check(entry, claim(3, first, last)), `${index}`).toThrow(refused("OUT_OF_ORDER_SEQUENCE_NUMBER"));
        continue;
      }
      const expected = {
        firstSequence: first,
        lastSequence: last,
        baseOffset: index * 10,
        lastOffset: index * 10 + 4,
        timestamp: 1000 + index,
      };
      expect(check(entry, claim(3, first, last))).toEqual(expected);
      expect(() => check(entry, claim(3, first, last - 1))).toThrow(refused("OUT_OF_ORDER_SEQUENCE_NUMBER"));
      expect(() => check(entry, claim(3, first + 1, last))).toThrow(refused("OUT_OF_ORDER_SEQUENCE_NUMBER"));
    }
  });

  it("is no repetition in another epoch: an older one is fenced, a newer one begins anew", () => {
    const entry = producer([0, 4], [5, 9]);
    expect(() => check(entry, claim(2, 0, 4))).toThrow(refused("INVALID_PRODUCER_EPOCH"));
    expect(() => check(entry, claim(2, 10))).toThrow(/expected epoch 3 or more, found 2/);
    expect(check(entry, claim(4, 0, 4))).toBeNull();
    expect(() => check(entry, claim(4, 5, 9))).toThrow(/expected sequence 0, found 5/);
    entry.setEpoch(4);
    expect(() => check(entry, claim(4, 5, 9))).toThrow(refused("OUT_OF_ORDER_SEQUENCE_NUMBER"));
    entry.setEpoch(4);
    entry.addBatch(4, 0, 1, 50, 51, 7);
    entry.setEpoch(4);
    expect(check(entry, claim(4, 2))).toBeNull();
  });

  it("without sequences is taken as long as its epoch is not an older one", () => {
    const entry = producer([0, 4]);
    expect(check(entry, claim(3, -1, -1))).toBeNull();
    expect(check(entry, claim(4, -1, -1))).toBeNull();
    expect(() => check(entry, claim(2, -1, -1))).toThrow(refused("INVALID_PRODUCER_EPOCH"));
  });

  it("stands in the transaction that is open, which may have begun at offset 0", () => {
    const entry = producer([0, 4]);
    expect(check(entry, claim(3, 5))).toBeNull();
    for (const first of [0, 40]) {
      entry.transactionFirstOffset = first;
      expect(check(entry, claim(3, 5, 5, true))).toBeNull();
      expect(() => check(entry, claim(3, 5))).toThrow(refused("INVALID_TXN_STATE"));
      expect(() => check(entry, claim(3, -1))).toThrow(new RegExp(`began at offset ${first}`));
    }
  });
});

describe("a transaction's marker", () => {
  it("is of the producer's epoch or a newer one, and of no coordinator that another has replaced", () => {
    const entry = producer([0, 4]);
    entry.coordinatorEpoch = 6;
    for (const [producerEpoch, coordinatorEpoch] of [
      [3, 6],
      [4, 6],
      [3, 7],
    ] as const) {
      expect(() => checkMarker(entry, producerEpoch, coordinatorEpoch, WHERE)).not.toThrow();
    }
    expect(() => checkMarker(entry, 2, 7, WHERE)).toThrow(refused("INVALID_PRODUCER_EPOCH"));
    expect(() => checkMarker(entry, 3, 5, WHERE)).toThrow(refused("TRANSACTION_COORDINATOR_FENCED"));
    expect(() => checkMarker(null, 0, 0, WHERE)).not.toThrow();
  });
});
