/**
 * The header of a record batch, magic 2, over plain bytes: where its fields stand, what they say, and how a log stamps them.
 * Source of the format: Apache Kafka, `DefaultRecordBatch`. Nothing here looks at records or computes a checksum.
 */
import { readBigInt64, readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from "./big-endian.ts";

//  0             8        12      16      17    21           23                  27               35              43            51      53       57      61
//  ├ base offset ┼ length ┼ epoch ┼ magic ┼ crc ┼ attributes ┼ last offset delta ┼ base timestamp ┼ max timestamp ┼ producer id ┼ epoch ┼ sequence ┼ count ┤
export const BASE_OFFSET_AT = 0;
export const LENGTH_AT: number = BASE_OFFSET_AT + 8;
export const LEADER_EPOCH_AT: number = LENGTH_AT + 4;
export const MAGIC_AT: number = LEADER_EPOCH_AT + 4;
export const CRC_AT: number = MAGIC_AT + 1;
/** The checksum covers everything from here to the end of the batch. */
export const ATTRIBUTES_AT: number = CRC_AT + 4;
export const LAST_OFFSET_DELTA_AT: number = ATTRIBUTES_AT + 2;
export const BASE_TIMESTAMP_AT: number = LAST_OFFSET_DELTA_AT + 4;
export const MAX_TIMESTAMP_AT: number = BASE_TIMESTAMP_AT + 8;
export const PRODUCER_ID_AT: number = MAX_TIMESTAMP_AT + 8;
export const PRODUCER_EPOCH_AT: number = PRODUCER_ID_AT + 8;
export const BASE_SEQUENCE_AT: number = PRODUCER_EPOCH_AT + 2;
export const RECORD_COUNT_AT: number = BASE_SEQUENCE_AT + 4;
export const HEADER_BYTE_LENGTH: number = RECORD_COUNT_AT + 4;
/** What the length field does not count: the base offset and itself. */
export const LENGTH_OVERHEAD: number = LENGTH_AT + 4;

export const MAGIC_V2 = 2;
/** No record is shorter: seven fields of a byte each. */
export const RECORD_BYTE_LENGTH_MIN = 7;

/** The codecs by their number in the attributes; 5 to 7 are nobody's. */
export const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
export type Codec = (typeof CODECS)[number];

const CODEC_MASK = 0x07;
const LOG_APPEND_TIME_FLAG = 0x08;
const TRANSACTIONAL_FLAG = 0x10;
const CONTROL_FLAG = 0x20;
const DELETE_HORIZON_FLAG = 0x40;

export const isLogAppendTime = (attributes: number): boolean => (attributes & LOG_APPEND_TIME_FLAG) !== 0;
export const isTransactional = (attributes: number): boolean => (attributes & TRANSACTIONAL_FLAG) !== 0;
export const isControl = (attributes: number): boolean => (attributes & CONTROL_FLAG) !== 0;
/** Whether the base timestamp is the time from which compaction may drop the batch's tombstones. */
export const hasDeleteHorizon = (attributes: number): boolean => (attributes & DELETE_HORIZON_FLAG) !== 0;
/** The attributes of an uncompressed batch with the times its producer gave. */
export const attributesOf = (batch: { readonly transactional: boolean; readonly control?: boolean | undefined }): number =>
  (batch.transactional ? TRANSACTIONAL_FLAG : 0) | (batch.control === true ? CONTROL_FLAG : 0);

/** The codec's number, 0 for none. */
export const codecNumber = (attributes: number): number => attributes & CODEC_MASK;
/** The codec's name; null for a number that stands for none. */
export const codecOf = (attributes: number): Codec | null => CODECS[attributes & CODEC_MASK] ?? null;

/** What a batch says of itself. Numbers are the nearest ones where 64 bits do not fit: `offsetsAreSafe` tells for offsets. */
export interface BatchHeader {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Bytes of the whole batch. */
  readonly byteLength: number;
  readonly leaderEpoch: number;
  readonly magic: number;
  /** As stored, without sign. */
  readonly checksum: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly recordCount: number;
}

/** Reads the header of the batch at `at`, believing all of it. `bytes` must hold `HEADER_BYTE_LENGTH` bytes from there. */
export function readBatchHeader(bytes: Uint8Array, at = 0): BatchHeader {
  if (at < 0 || at + HEADER_BYTE_LENGTH > bytes.length) {
    throw new RangeError(`a batch header at ${at} needs ${HEADER_BYTE_LENGTH} bytes, of ${bytes.length} there are ${bytes.length - at}`);
  }
  const baseOffset = readInt64(bytes, at + BASE_OFFSET_AT);
  const lastOffsetDelta = readInt32(bytes, at + LAST_OFFSET_DELTA_AT);
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    byteLength: batchByteLengthAt(bytes, at),
    leaderEpoch: readInt32(bytes, at + LEADER_EPOCH_AT),
    magic: bytes[at + MAGIC_AT] as number,
    checksum: readInt32(bytes, at + CRC_AT) >>> 0,
    attributes: readInt16(bytes, at + ATTRIBUTES_AT),
    lastOffsetDelta,
    baseTimestamp: readInt64(bytes, at + BASE_TIMESTAMP_AT),
    maxTimestamp: readInt64(bytes, at + MAX_TIMESTAMP_AT),
    producerId: readBigInt64(bytes, at + PRODUCER_ID_AT),
    producerEpoch: readInt16(bytes, at + PRODUCER_EPOCH_AT),
    baseSequence: readInt32(bytes, at + BASE_SEQUENCE_AT),
    recordCount: readInt32(bytes, at + RECORD_COUNT_AT),
  };
}

/** Bytes of the whole batch at `at`, as its length field says. */
export function batchByteLengthAt(bytes: Uint8Array, at = 0): number {
  return readInt32(bytes, at + LENGTH_AT) + LENGTH_OVERHEAD;
}

/** Whether all of the batch's offsets are exact, legal numbers: 0 to 2^53-1. What fails this is corrupt to Odradek. */
export function offsetsAreSafe(header: Pick<BatchHeader, "baseOffset" | "lastOffset" | "lastOffsetDelta">): boolean {
  return header.baseOffset >= 0 && header.lastOffsetDelta >= 0 && header.lastOffset <= Number.MAX_SAFE_INTEGER;
}

/** What the log gives a batch on its way in: its place and its epoch. The checksum does not cover them. */
export function stampBatch(batch: Uint8Array, baseOffset: number, leaderEpoch: number): void {
  writeInt64(batch, BASE_OFFSET_AT, baseOffset);
  writeInt32(batch, LEADER_EPOCH_AT, leaderEpoch);
}

/** Sets `messageTimestampType` LogAppendTime. The checksum covers this: `stampChecksum` must follow. */
export function stampLogAppendTime(batch: Uint8Array, timestamp: number): void {
  writeInt16(batch, ATTRIBUTES_AT, readInt16(batch, ATTRIBUTES_AT) | LOG_APPEND_TIME_FLAG);
  writeInt64(batch, MAX_TIMESTAMP_AT, timestamp);
}

/** Computes the checksum anew with the core's `crc32c` and writes it. */
export function stampChecksum(batch: Uint8Array, core: { crc32c(bytes: Uint8Array): number }): void {
  writeInt32(batch, CRC_AT, core.crc32c(batch.subarray(ATTRIBUTES_AT)));
}
