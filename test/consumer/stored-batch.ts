/** Stored batches for tests of what reads them: as long as is wanted, at any place in their bytes, and a log at hand that has one. */
import type { AtHand, BatchPart } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { readInt32 } from "../../src/base/big-endian.ts";
import { CRC_AT, readBatchHeader } from "../../src/base/record-batch.ts";
import type { BatchSlice } from "../../src/consumer/batch-slice.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { slowBatchBytes } from "../core/twin/batch.ts";
import { orders } from "./bed.ts";

/** Records without keys whose values are so long; null: a tombstone. */
export function storedBatch(
  baseOffset: number,
  valueByteLengths: readonly (number | null)[],
  header: { readonly attributes?: number; readonly lastOffsetDelta?: number } = {},
): Bytes {
  return slowBatchBytes({
    baseOffset: BigInt(baseOffset),
    leaderEpoch: 0,
    attributes: header.attributes ?? 0,
    lastOffsetDelta: header.lastOffsetDelta ?? valueByteLengths.length - 1,
    baseTimestamp: 1000n,
    maxTimestamp: 1000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: valueByteLengths.map((byteLength, offsetDelta) => ({
      offsetDelta,
      timestampDelta: 0n,
      key: null,
      value: byteLength === null ? null : new Uint8Array(byteLength).fill((baseOffset + offsetDelta) % 251),
      headers: [],
    })),
  });
}

/** A batch of so many bytes: its records are short but for the last. */
export function storedBatchOf(byteLength: number, recordCount: number, baseOffset = 0): Bytes {
  const short = new Array<number>(recordCount - 1).fill(10);
  let batch = storedBatch(baseOffset, [...short, 0]);
  // The longer the last value is, the more its lengths take as well.
  for (let last = 0, tries = 0; batch.length !== byteLength; tries += 1) {
    if (tries === 9) throw new Error(`no batch of ${recordCount} records is ${byteLength} bytes long`);
    last = Math.max(0, last + byteLength - batch.length);
    batch = storedBatch(baseOffset, [...short, last]);
  }
  return batch;
}

/** The batch that stands at `at`, as a fetch gives it. */
export function sliceAt(bytes: Bytes, at: number, byteLength: number, partition = 0): BatchSlice {
  const { baseOffset, lastOffset, recordCount } = readBatchHeader(bytes, at);
  return { state: new PartitionState({ ...orders, partition }), epoch: 0, bytes, at, byteLength, baseOffset, lastOffset, recordCount };
}

export function joined(...parts: readonly Uint8Array[]): Bytes {
  return new Uint8Array(Buffer.concat(parts));
}

/** A log that holds one batch; where it was asked for a part of it, and how many bytes, is noted. */
export function logHolding(batch: Bytes): AtHand & { readonly asked: (readonly [from: number, byteLength: number])[] } {
  const asked: (readonly [number, number])[] = [];
  return {
    asked,
    standing: () => null,
    read: () => null,
    part: (wanted: BatchPart, into) => {
      asked.push([wanted.from, into.length]);
      const isIt = wanted.byteLength === batch.length && wanted.checksum === readInt32(batch, CRC_AT);
      if (isIt) into.set(batch.subarray(wanted.from, wanted.from + into.length));
      return isIt;
    },
  };
}
