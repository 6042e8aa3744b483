/** `.snapshot`: what a partition knew of its producers at one offset, in Kafka's bytes. */
import type { Bytes } from "../../api/bytes.ts";
import { readBigInt64, readInt16, readInt32, readInt64, writeBigInt64, writeInt16, writeInt32, writeInt64 } from "../../base/big-endian.ts";
import type { Core } from "../../core/core.ts";
import { bookCorrupt } from "../files/replace-file.ts";
import { ProducerEntry, sequenceBefore } from "./producer-entry.ts";

//  0         2     6                 10
//  ├ version ┼ crc ┼ number of entries ┤   `crc` covers everything behind it; then each entry:
//  0             8       10              14            22             26          34                  38                      46
//  ├ producer id ┼ epoch ┼ last sequence ┼ last offset ┼ offset delta ┼ timestamp ┼ coordinator epoch ┼ transaction's first offset ┤
const VERSION = 1;
const CRC_AT = 2;
const COUNT_AT = CRC_AT + 4;
const ENTRIES_AT = COUNT_AT + 4;
const EPOCH_AT = 8;
const LAST_SEQUENCE_AT = EPOCH_AT + 2;
const LAST_OFFSET_AT = LAST_SEQUENCE_AT + 4;
const OFFSET_DELTA_AT = LAST_OFFSET_AT + 8;
const TIMESTAMP_AT = OFFSET_DELTA_AT + 4;
const COORDINATOR_EPOCH_AT = TIMESTAMP_AT + 8;
const TRANSACTION_AT = COORDINATOR_EPOCH_AT + 4;
const ENTRY_BYTE_LENGTH = TRANSACTION_AT + 8;

/** Far more producers than one partition is ever written by within the day that they are remembered. */
export const SNAPSHOT_BYTE_LENGTH_MAX: number = 2 ** 28;

/** Of each producer the last batch alone: after a restart only that one is known again. */
export function encodeProducerSnapshot(entries: Iterable<ProducerEntry>, count: number, core: Core): Bytes {
  const bytes = new Uint8Array(ENTRIES_AT + count * ENTRY_BYTE_LENGTH);
  writeInt16(bytes, 0, VERSION);
  writeInt32(bytes, COUNT_AT, count);
  let at = ENTRIES_AT;
  for (const entry of entries) {
    const last = entry.lastBatch;
    writeBigInt64(bytes, at, entry.producerId);
    writeInt16(bytes, at + EPOCH_AT, entry.producerEpoch);
    writeInt32(bytes, at + LAST_SEQUENCE_AT, last?.lastSequence ?? -1);
    writeInt64(bytes, at + LAST_OFFSET_AT, last?.lastOffset ?? -1);
    writeInt32(bytes, at + OFFSET_DELTA_AT, last === null ? 0 : last.lastOffset - last.baseOffset);
    writeInt64(bytes, at + TIMESTAMP_AT, entry.lastTimestamp);
    writeInt32(bytes, at + COORDINATOR_EPOCH_AT, entry.coordinatorEpoch);
    writeInt64(bytes, at + TRANSACTION_AT, entry.transactionFirstOffset);
    at += ENTRY_BYTE_LENGTH;
  }
  writeInt32(bytes, CRC_AT, core.crc32c(bytes.subarray(COUNT_AT)));
  return bytes;
}

/** Throws `BOOK_CORRUPT` for anything but the bytes of a snapshot. */
export function decodeProducerSnapshot(bytes: Uint8Array, fileName: string, core: Core): ProducerEntry[] {
  const wrong = (reason: string): never => {
    throw bookCorrupt(fileName, reason, [0, bytes.byteLength]);
  };
  if (bytes.byteLength < ENTRIES_AT) wrong(`expected at least ${ENTRIES_AT} bytes of a producer snapshot, found ${bytes.byteLength}`);
  const version = readInt16(bytes, 0);
  if (version !== VERSION) wrong(`expected version ${VERSION}, found ${version}`);
  const computed = core.crc32c(bytes.subarray(COUNT_AT)) >>> 0;
  const stored = readInt32(bytes, CRC_AT) >>> 0;
  if (computed !== stored) wrong(`computed crc ${hex(computed)}, stored ${hex(stored)}`);
  const count = readInt32(bytes, COUNT_AT);
  const byteLength = ENTRIES_AT + count * ENTRY_BYTE_LENGTH;
  if (bytes.byteLength !== byteLength) wrong(`its ${count} entries call for ${byteLength} bytes, found ${bytes.byteLength}`);
  return Array.from({ length: count }, (_, index) => entryAt(bytes, ENTRIES_AT + index * ENTRY_BYTE_LENGTH));
}

function entryAt(bytes: Uint8Array, at: number): ProducerEntry {
  const entry = new ProducerEntry(readBigInt64(bytes, at));
  const lastSequence = readInt32(bytes, at + LAST_SEQUENCE_AT);
  const lastOffset = readInt64(bytes, at + LAST_OFFSET_AT);
  const offsetDelta = readInt32(bytes, at + OFFSET_DELTA_AT);
  const producerEpoch = readInt16(bytes, at + EPOCH_AT);
  const timestamp = readInt64(bytes, at + TIMESTAMP_AT);
  entry.setEpoch(producerEpoch);
  if (lastOffset >= 0) {
    const firstSequence = lastSequence < 0 ? lastSequence : sequenceBefore(lastSequence, offsetDelta);
    entry.addBatch(producerEpoch, firstSequence, lastSequence, lastOffset - offsetDelta, lastOffset, timestamp);
  }
  entry.lastTimestamp = timestamp;
  entry.coordinatorEpoch = readInt32(bytes, at + COORDINATOR_EPOCH_AT);
  entry.transactionFirstOffset = readInt64(bytes, at + TRANSACTION_AT);
  return entry;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
