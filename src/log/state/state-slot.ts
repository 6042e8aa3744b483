/** One slot of `odradek.state` as bytes: its facts, its generation, its checksum, and the block checksums that belong to it. */
import type { Bytes } from "../../api/bytes.ts";
import type { TopicConfig } from "../../api/topic.ts";
import { OdradekError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { readInt64, writeInt64 } from "../files/int64.ts";

export interface PartitionStateFacts {
  /** The first offset not known to be flushed, as in Kafka's checkpoint. */
  readonly recoveryPoint: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  /** The durable end: up to this position of the segment of this base offset, up to this offset, everything is flushed. */
  readonly durableSegmentBase: number;
  readonly durableEndPosition: number;
  readonly durableEndOffset: number;
  /** Closed in order, everything flushed; `activeSegment` then says what was left. */
  readonly cleanlyClosed: boolean;
  readonly activeSegment: ActiveSegmentFacts | null;
  /** No producer was known at the recovery point: there need be no snapshot of it. */
  readonly withoutProducers: boolean;
  /** What is durable of the `.txnindex` of the segment that holds the recovery point; null: there is none, or nothing in it. */
  readonly txnIndex: DurableTransactionIndex | null;
  /** How what stands behind the durable end was written: as much as it likes of "os" may be torn, a window's worth of "sync". */
  readonly writtenAs: TopicConfig["durability"];
}

/** What of a segment's `.txnindex` needs no walk to be believed. */
export interface DurableTransactionIndex {
  readonly baseOffset: number;
  readonly byteLength: number;
  /** CRC-32C. */
  readonly checksum: number;
}

/** What a seal says of a sealed segment, for the one that was active at a clean close. Checksums are CRC-32C. */
export interface ActiveSegmentFacts {
  readonly baseOffset: number;
  readonly logByteLength: number;
  /** One for every 64 KiB of the `.log`, the last block perhaps short. */
  readonly logChecksums: readonly number[];
  readonly indexByteLength: number;
  readonly indexChecksum: number;
  readonly timeIndexByteLength: number;
  readonly timeIndexChecksum: number;
  /** 0 and 0 where there is none. */
  readonly txnIndexByteLength: number;
  readonly txnIndexChecksum: number;
}

export interface StateSlot {
  readonly generation: number;
  readonly topicId: Uint8Array;
  readonly partition: number;
  /** Its active segment's `logChecksums` are empty until `decodeBlocks` has seen them. */
  readonly facts: PartitionStateFacts;
  readonly blockByteLength: number;
  readonly blockChecksum: number;
}

//  The file:
//  0       256    4096    4352   8192                 8192 + 128 Ki        8192 + 256 Ki
//  ├ slot 0 ┤ 0 … ├ slot 1 ┤ 0 … ├ blocks of slot 0 … ├ blocks of slot 1 … ┤
//  Each slot has a 4 KiB page to itself, each block area 128 KiB: writing for one slot never touches the other's pages.
export const SLOT_COUNT = 2;
export const SLOT_BYTE_LENGTH = 256;
const PAGE_BYTE_LENGTH = 4096;
/** What the file is made with: both slots' pages. */
export const STATE_BYTE_LENGTH: number = SLOT_COUNT * PAGE_BYTE_LENGTH;
const CHECKSUM_BYTE_LENGTH = 4;
/** Every segment file is shorter. */
const SEGMENT_BYTE_LENGTH_LIMIT = 2 ** 31;
/** A checksum for every 64 KiB of the longest segment file. */
const BLOCK_AREA_BYTE_LENGTH = (SEGMENT_BYTE_LENGTH_LIMIT / SEAL_BLOCK_BYTE_LENGTH) * CHECKSUM_BYTE_LENGTH;

//  A slot, big-endian; `crc` covers everything behind it up to the slot's end:
//  0       4         8     12           20         36          44               52
//  ├ magic ┼ version ┼ crc ┼ generation ┼ topic id ┼ partition ┼ recovery point ┼ …
const MAGIC = 0x4f445354; // "ODST"
const VERSION = 1;
const VERSION_AT = 4;
const CRC_AT = VERSION_AT + 4;
const GENERATION_AT = CRC_AT + 4;
const TOPIC_ID_AT = GENERATION_AT + 8;
const PARTITION_AT = TOPIC_ID_AT + 16;
const RECOVERY_POINT_AT = PARTITION_AT + 8;
const LOG_START_AT = RECOVERY_POINT_AT + 8;
const HIGH_WATERMARK_AT = LOG_START_AT + 8;
const DURABLE_BASE_AT = HIGH_WATERMARK_AT + 8;
const DURABLE_POSITION_AT = DURABLE_BASE_AT + 8;
const DURABLE_OFFSET_AT = DURABLE_POSITION_AT + 8;
const FLAGS_AT = DURABLE_OFFSET_AT + 8;
//  Behind the flags, of the active segment (zeros where it is not told):
const ACTIVE_BASE_AT = FLAGS_AT + 4;
const LOG_LENGTH_AT = ACTIVE_BASE_AT + 8;
const INDEX_LENGTH_AT = LOG_LENGTH_AT + 8;
const INDEX_CRC_AT = INDEX_LENGTH_AT + 4;
const TIME_INDEX_LENGTH_AT = INDEX_CRC_AT + 4;
const TIME_INDEX_CRC_AT = TIME_INDEX_LENGTH_AT + 4;
const TXN_INDEX_LENGTH_AT = TIME_INDEX_CRC_AT + 4;
const TXN_INDEX_CRC_AT = TXN_INDEX_LENGTH_AT + 4;
const BLOCKS_CRC_AT = TXN_INDEX_CRC_AT + 4;
//  Behind it, of the segment that holds the recovery point:
const DURABLE_TXN_BASE_AT = BLOCKS_CRC_AT + 4;
const DURABLE_TXN_LENGTH_AT = DURABLE_TXN_BASE_AT + 8;
const DURABLE_TXN_CRC_AT = DURABLE_TXN_LENGTH_AT + 4;

const CLEANLY_CLOSED = 1;
const HAS_ACTIVE_SEGMENT = 2;
const WITHOUT_PRODUCERS = 4;
const HAS_TXN_INDEX = 8;
const WRITTEN_AS_OS = 16;

/** Every slot is made here: one is written after each flush, before anybody is told of it, and memory for it costs more than its making. */
const scratch: Bytes = new Uint8Array(SLOT_BYTE_LENGTH);
const scratchView: DataView<ArrayBuffer> = new DataView(scratch.buffer);
const summed: Bytes = scratch.subarray(GENERATION_AT);
const NO_BLOCKS: Bytes = new Uint8Array(0);

export function slotAt(index: number): number {
  return index * PAGE_BYTE_LENGTH;
}

export function blockAreaAt(index: number): number {
  return STATE_BYTE_LENGTH + index * BLOCK_AREA_BYTE_LENGTH;
}

/** The active segment's block checksums, which are too many for the slot. */
export function encodeBlocks(facts: PartitionStateFacts): Bytes {
  const active = facts.activeSegment;
  if (active === null) return NO_BLOCKS;
  if (active.logChecksums.length !== blockCount(active.logByteLength) || active.logByteLength >= SEGMENT_BYTE_LENGTH_LIMIT) {
    throw new OdradekError(
      "UNKNOWN_SERVER_ERROR",
      `state of segment ${active.baseOffset}: expected a checksum for every 64 KiB of ${active.logByteLength} bytes, found ${active.logChecksums.length}`,
    );
  }
  const bytes = new Uint8Array(active.logChecksums.length * CHECKSUM_BYTE_LENGTH);
  const view = new DataView(bytes.buffer);
  for (const [index, checksum] of active.logChecksums.entries()) view.setUint32(index * CHECKSUM_BYTE_LENGTH, checksum);
  return bytes;
}

/** Lent: good until the next call. */
export function encodeSlot(slot: Pick<StateSlot, "generation" | "topicId" | "partition" | "facts">, blocks: Uint8Array, core: Core): Bytes {
  const { facts } = slot;
  const view = scratchView;
  scratch.fill(0);
  view.setUint32(0, MAGIC);
  view.setUint32(VERSION_AT, VERSION);
  writeInt64(view, GENERATION_AT, slot.generation);
  scratch.set(slot.topicId, TOPIC_ID_AT);
  writeInt64(view, PARTITION_AT, slot.partition);
  writeInt64(view, RECOVERY_POINT_AT, facts.recoveryPoint);
  writeInt64(view, LOG_START_AT, facts.logStartOffset);
  writeInt64(view, HIGH_WATERMARK_AT, facts.highWatermark);
  writeInt64(view, DURABLE_BASE_AT, facts.durableSegmentBase);
  writeInt64(view, DURABLE_POSITION_AT, facts.durableEndPosition);
  writeInt64(view, DURABLE_OFFSET_AT, facts.durableEndOffset);
  const { activeSegment: active, txnIndex } = facts;
  const flags = (facts.cleanlyClosed ? CLEANLY_CLOSED : 0) | (active === null ? 0 : HAS_ACTIVE_SEGMENT);
  const end = (txnIndex === null ? 0 : HAS_TXN_INDEX) | (facts.writtenAs === "os" ? WRITTEN_AS_OS : 0);
  view.setUint32(FLAGS_AT, flags | (facts.withoutProducers ? WITHOUT_PRODUCERS : 0) | end);
  if (txnIndex !== null) {
    writeInt64(view, DURABLE_TXN_BASE_AT, txnIndex.baseOffset);
    view.setUint32(DURABLE_TXN_LENGTH_AT, txnIndex.byteLength);
    view.setUint32(DURABLE_TXN_CRC_AT, txnIndex.checksum);
  }
  if (active !== null) {
    writeInt64(view, ACTIVE_BASE_AT, active.baseOffset);
    writeInt64(view, LOG_LENGTH_AT, active.logByteLength);
    view.setUint32(INDEX_LENGTH_AT, active.indexByteLength);
    view.setUint32(INDEX_CRC_AT, active.indexChecksum);
    view.setUint32(TIME_INDEX_LENGTH_AT, active.timeIndexByteLength);
    view.setUint32(TIME_INDEX_CRC_AT, active.timeIndexChecksum);
    view.setUint32(TXN_INDEX_LENGTH_AT, active.txnIndexByteLength);
    view.setUint32(TXN_INDEX_CRC_AT, active.txnIndexChecksum);
    view.setUint32(BLOCKS_CRC_AT, core.crc32c(blocks));
  }
  view.setUint32(CRC_AT, core.crc32c(summed));
  return scratch;
}

/** null for a slot that was never written; a sentence for one that cannot be believed. */
export function decodeSlot(bytes: Uint8Array, core: Core): StateSlot | string | null {
  if (bytes.every((byte) => byte === 0)) return null;
  if (bytes.byteLength < SLOT_BYTE_LENGTH) return `expected ${SLOT_BYTE_LENGTH} bytes, found ${bytes.byteLength}`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) return 'expected "ODST" at its head, found other bytes';
  if (view.getUint32(VERSION_AT) !== VERSION) return `expected version ${VERSION}, found ${view.getUint32(VERSION_AT)}`;
  const computed = core.crc32c(bytes.subarray(GENERATION_AT));
  const stored = view.getUint32(CRC_AT);
  if (computed !== stored) return `computed crc ${computed.toString(16).padStart(8, "0")}, stored ${stored.toString(16).padStart(8, "0")}`;
  const flags = view.getUint32(FLAGS_AT);
  const active = (flags & HAS_ACTIVE_SEGMENT) === 0 ? null : activeSegmentOf(view);
  // A right checksum over a length that no segment has: memory is taken by it.
  if (active !== null && (active.logByteLength < 0 || active.logByteLength >= SEGMENT_BYTE_LENGTH_LIMIT))
    return `expected an active segment of 0 to 2^31-1 bytes, found ${active.logByteLength}`;
  return {
    generation: readInt64(view, GENERATION_AT),
    topicId: bytes.slice(TOPIC_ID_AT, PARTITION_AT),
    partition: readInt64(view, PARTITION_AT),
    facts: {
      recoveryPoint: readInt64(view, RECOVERY_POINT_AT),
      logStartOffset: readInt64(view, LOG_START_AT),
      highWatermark: readInt64(view, HIGH_WATERMARK_AT),
      durableSegmentBase: readInt64(view, DURABLE_BASE_AT),
      durableEndPosition: readInt64(view, DURABLE_POSITION_AT),
      durableEndOffset: readInt64(view, DURABLE_OFFSET_AT),
      cleanlyClosed: (flags & CLEANLY_CLOSED) !== 0,
      activeSegment: active,
      withoutProducers: (flags & WITHOUT_PRODUCERS) !== 0,
      txnIndex: (flags & HAS_TXN_INDEX) === 0 ? null : txnIndexOf(view),
      writtenAs: (flags & WRITTEN_AS_OS) === 0 ? "sync" : "os",
    },
    blockByteLength: active === null ? 0 : blockCount(active.logByteLength) * CHECKSUM_BYTE_LENGTH,
    blockChecksum: view.getUint32(BLOCKS_CRC_AT),
  };
}

/** The slot's facts with the block checksums that belong to it; null when these are not the ones that were written. */
export function decodeBlocks(slot: StateSlot, blocks: Uint8Array, core: Core): PartitionStateFacts | null {
  const active = slot.facts.activeSegment;
  if (active === null) return slot.facts;
  if (blocks.byteLength !== slot.blockByteLength || core.crc32c(blocks) !== slot.blockChecksum) return null;
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  const logChecksums = Array.from({ length: blocks.byteLength / CHECKSUM_BYTE_LENGTH }, (_, index) =>
    view.getUint32(index * CHECKSUM_BYTE_LENGTH),
  );
  return { ...slot.facts, activeSegment: { ...active, logChecksums } };
}

function txnIndexOf(view: DataView): DurableTransactionIndex {
  return {
    baseOffset: readInt64(view, DURABLE_TXN_BASE_AT),
    byteLength: view.getUint32(DURABLE_TXN_LENGTH_AT),
    checksum: view.getUint32(DURABLE_TXN_CRC_AT),
  };
}

function activeSegmentOf(view: DataView): ActiveSegmentFacts {
  return {
    baseOffset: readInt64(view, ACTIVE_BASE_AT),
    logByteLength: readInt64(view, LOG_LENGTH_AT),
    logChecksums: [],
    indexByteLength: view.getUint32(INDEX_LENGTH_AT),
    indexChecksum: view.getUint32(INDEX_CRC_AT),
    timeIndexByteLength: view.getUint32(TIME_INDEX_LENGTH_AT),
    timeIndexChecksum: view.getUint32(TIME_INDEX_CRC_AT),
    txnIndexByteLength: view.getUint32(TXN_INDEX_LENGTH_AT),
    txnIndexChecksum: view.getUint32(TXN_INDEX_CRC_AT),
  };
}

function blockCount(byteLength: number): number {
  return Math.ceil(byteLength / SEAL_BLOCK_BYTE_LENGTH);
}
