/** `<base>.seal`: what a sealed segment was when it was left, down to the last bit, and whose it is. Kafka ignores it. */
import type { Bytes } from "../../api/bytes.ts";
import { OdradekError } from "../../base/errors.ts";
import { uuidFromText, uuidToText } from "../../base/uuid-text.ts";
import type { Core } from "../../core/core.ts";
import { SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { readInt64, writeInt64 } from "../files/int64.ts";
import { bookCorrupt } from "../files/replace-file.ts";

export { BlockChecksums, blockChecksums, blockChecksumsInSteps, findBadBlock, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";

export interface Seal {
  readonly topicId: string;
  readonly partition: number;
  readonly baseOffset: number;
  /** Up to where the segment goes: one more than its last offset, or where the next one began, when offsets were missing before that. */
  readonly nextOffset: number;
  /** Of all records, the nearest number; -1 where none has one. */
  readonly maxTimestamp: number;
  /** Offsets may be missing between its batches: it was compacted, mended, or written by another. */
  readonly hasGaps: boolean;
  readonly logByteLength: number;
  /** CRC-32C of every 64 KiB of the `.log`, the last block perhaps short. */
  readonly logChecksums: readonly number[];
  /** 0 and none where there is no `.txnindex`. */
  readonly txnIndexByteLength: number;
  readonly txnIndexChecksums: readonly number[];
  /** The derived files as left at the roll: CRC-32C of the whole. */
  readonly indexByteLength: number;
  readonly indexChecksum: number;
  readonly timeIndexByteLength: number;
  readonly timeIndexChecksum: number;
}

//  0       4         8     12          28          36      44            52              60           68          76
//  ├ magic ┼ version ┼ crc ┼ topic id  ┼ partition ┼ base  ┼ next offset ┼ max timestamp ┼ log length ┼ txn length ┤
//  76             80          84                  88               92                             ..        ..
//  ├ index length ┼ index crc ┼ time index length ┼ time index crc ┼ crc per 64 KiB of .log, then ┼ of .txnindex ┤
//  All big-endian. `crc` covers everything behind it. The counts of block checksums follow from the lengths.
const MAGIC = 0x4f44534c; // "ODSL"
/** No offset is missing; offsets may be missing. The layout is one. */
const VERSION = 1;
const VERSION_WITH_GAPS = 2;
const VERSION_AT = 4;
const CRC_AT = VERSION_AT + 4;
const TOPIC_ID_AT = CRC_AT + 4;
const PARTITION_AT = TOPIC_ID_AT + 16;
const BASE_OFFSET_AT = PARTITION_AT + 8;
const NEXT_OFFSET_AT = BASE_OFFSET_AT + 8;
const MAX_TIMESTAMP_AT = NEXT_OFFSET_AT + 8;
const LOG_LENGTH_AT = MAX_TIMESTAMP_AT + 8;
const TXN_LENGTH_AT = LOG_LENGTH_AT + 8;
const INDEX_LENGTH_AT = TXN_LENGTH_AT + 8;
const INDEX_CRC_AT = INDEX_LENGTH_AT + 4;
const TIME_INDEX_LENGTH_AT = INDEX_CRC_AT + 4;
const TIME_INDEX_CRC_AT = TIME_INDEX_LENGTH_AT + 4;
const BLOCKS_AT = TIME_INDEX_CRC_AT + 4;
const CHECKSUM_BYTE_LENGTH = 4;

/** A segment file stays below 2^31 bytes, so a seal stays below this: two times 32768 checksums. */
export const SEAL_BYTE_LENGTH_MAX: number = BLOCKS_AT + 2 * 2 ** 15 * CHECKSUM_BYTE_LENGTH;

export function encodeSeal(seal: Seal, core: Core): Bytes {
  const blocks = [...seal.logChecksums, ...seal.txnIndexChecksums];
  const bytes = new Uint8Array(BLOCKS_AT + blocks.length * CHECKSUM_BYTE_LENGTH);
  const topicId = uuidFromText(seal.topicId);
  if (
    topicId === null ||
    seal.logChecksums.length !== blockCount(seal.logByteLength) ||
    seal.txnIndexChecksums.length !== blockCount(seal.txnIndexByteLength) ||
    bytes.byteLength > SEAL_BYTE_LENGTH_MAX
  ) {
    throw new OdradekError(
      "UNKNOWN_SERVER_ERROR",
      `seal of segment ${seal.baseOffset}: expected a topic id and a checksum for every 64 KiB of ${seal.logByteLength} and ${seal.txnIndexByteLength} bytes; ` +
        `found "${seal.topicId}", ${seal.logChecksums.length} and ${seal.txnIndexChecksums.length}`,
    );
  }
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(VERSION_AT, seal.hasGaps ? VERSION_WITH_GAPS : VERSION);
  bytes.set(topicId, TOPIC_ID_AT);
  writeInt64(view, PARTITION_AT, seal.partition);
  writeInt64(view, BASE_OFFSET_AT, seal.baseOffset);
  writeInt64(view, NEXT_OFFSET_AT, seal.nextOffset);
  writeInt64(view, MAX_TIMESTAMP_AT, seal.maxTimestamp);
  writeInt64(view, LOG_LENGTH_AT, seal.logByteLength);
  writeInt64(view, TXN_LENGTH_AT, seal.txnIndexByteLength);
  view.setUint32(INDEX_LENGTH_AT, seal.indexByteLength);
  view.setUint32(INDEX_CRC_AT, seal.indexChecksum);
  view.setUint32(TIME_INDEX_LENGTH_AT, seal.timeIndexByteLength);
  view.setUint32(TIME_INDEX_CRC_AT, seal.timeIndexChecksum);
  for (const [index, checksum] of blocks.entries()) view.setUint32(BLOCKS_AT + index * CHECKSUM_BYTE_LENGTH, checksum);
  view.setUint32(CRC_AT, core.crc32c(bytes.subarray(TOPIC_ID_AT)));
  return bytes;
}

/** Throws `BOOK_CORRUPT` for anything but the bytes of a seal. */
export function decodeSeal(bytes: Uint8Array, fileName: string, core: Core): Seal {
  const wrong = (reason: string): never => {
    throw bookCorrupt(fileName, reason, [0, bytes.byteLength]);
  };
  if (bytes.byteLength < BLOCKS_AT) wrong(`expected at least ${BLOCKS_AT} bytes of a seal, found ${bytes.byteLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) wrong(`expected "ODSL" at its head, found ${hex(view.getUint32(0))}`);
  const version = view.getUint32(VERSION_AT);
  if (version !== VERSION && version !== VERSION_WITH_GAPS) wrong(`expected version ${VERSION} or ${VERSION_WITH_GAPS}, found ${version}`);
  const computed = core.crc32c(bytes.subarray(TOPIC_ID_AT));
  if (computed !== view.getUint32(CRC_AT)) wrong(`computed crc ${hex(computed)}, stored ${hex(view.getUint32(CRC_AT))}`);
  const logByteLength = readInt64(view, LOG_LENGTH_AT);
  const txnIndexByteLength = readInt64(view, TXN_LENGTH_AT);
  if (logByteLength < 0 || txnIndexByteLength < 0)
    wrong(`expected lengths of 0 or more, found ${logByteLength} of the log and ${txnIndexByteLength} of the transaction index`);
  const logBlocks = blockCount(logByteLength);
  const byteLength = BLOCKS_AT + (logBlocks + blockCount(txnIndexByteLength)) * CHECKSUM_BYTE_LENGTH;
  if (bytes.byteLength !== byteLength) wrong(`its lengths call for ${byteLength} bytes, found ${bytes.byteLength}`);
  const checksums = Array.from({ length: (byteLength - BLOCKS_AT) / CHECKSUM_BYTE_LENGTH }, (_, index) =>
    view.getUint32(BLOCKS_AT + index * CHECKSUM_BYTE_LENGTH),
  );
  return {
    topicId: uuidToText(bytes.subarray(TOPIC_ID_AT, PARTITION_AT)),
    partition: readInt64(view, PARTITION_AT),
    baseOffset: readInt64(view, BASE_OFFSET_AT),
    nextOffset: readInt64(view, NEXT_OFFSET_AT),
    maxTimestamp: readInt64(view, MAX_TIMESTAMP_AT),
    hasGaps: version === VERSION_WITH_GAPS,
    logByteLength,
    logChecksums: checksums.slice(0, logBlocks),
    txnIndexByteLength,
    txnIndexChecksums: checksums.slice(logBlocks),
    indexByteLength: view.getUint32(INDEX_LENGTH_AT),
    indexChecksum: view.getUint32(INDEX_CRC_AT),
    timeIndexByteLength: view.getUint32(TIME_INDEX_LENGTH_AT),
    timeIndexChecksum: view.getUint32(TIME_INDEX_CRC_AT),
  };
}

function blockCount(byteLength: number): number {
  return Math.ceil(byteLength / SEAL_BLOCK_BYTE_LENGTH);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
