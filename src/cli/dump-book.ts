/** What stands in every file of a data directory but the `.log`s: indexes, seals, states, checkpoints, snapshots. */
import { ByteReader } from "../base/byte-reader.ts";
import {
  OFFSET_ENTRY_BYTE_LENGTH,
  offsetEntryPosition,
  offsetEntryRelativeOffset,
  TIME_ENTRY_BYTE_LENGTH,
  timeEntryRelativeOffset,
  timeEntryTimestamp,
} from "../core/index-entries.ts";
import { decodeCheckpoint } from "../log/books/checkpoint-text.ts";
import { LEADER_EPOCH_FILE } from "../log/books/leader-epochs.ts";
import { META_PROPERTIES_FILE, parseProperties } from "../log/books/meta-properties.ts";
import { PARTITION_METADATA_FILE } from "../log/books/partition-metadata.ts";
import { readBytes } from "../log/files/file-bytes.ts";
import { parseSegmentFileName } from "../log/files/file-names.ts";
import { decodeSeal } from "../log/seal/seal.ts";
import { STATE_FILE } from "../log/state/partition-state.ts";
import { blockAreaAt, decodeBlocks, decodeSlot, SLOT_BYTE_LENGTH, SLOT_COUNT, slotAt } from "../log/state/state-slot.ts";
import { CATALOG_FILE, decodeCatalog } from "../topic/catalog-file.ts";
import type { Dumped, DumpSource } from "./dump-source.ts";

/** Books are small; of indexes this is more than Kafka allows. */
const BOOK_BYTE_LENGTH_MAX = 512 * 1024 * 1024;
const TXN_ENTRY_BYTE_LENGTH = 34;
const utf8 = new TextDecoder();

/** null: a file of no kind that is known here. */
export function dumpBook(source: DumpSource): Iterable<Dumped> | null {
  const { name, file, core } = source;
  // Also under the names of a rewrite, `.cleaned`, `.swap` and `.deleted`.
  const kind = parseSegmentFileName(name)?.kind;
  const whole = (): Uint8Array<ArrayBuffer> => readBytes(file, 0, Math.min(BOOK_BYTE_LENGTH_MAX, file.byteLength()));
  if (kind === "index") return offsetEntries(source, whole());
  if (kind === "timeindex") return timeEntries(source, whole());
  if (kind === "txnindex") return abortedTransactions(whole());
  if (kind === "snapshot") return producers(whole(), core.crc32c(whole().subarray(6)));
  if (kind === "seal") return [{ type: "seal", ...decodeSeal(whole(), name, core) }];
  if (name === STATE_FILE) return slots(source);
  if (name === CATALOG_FILE) return [{ type: "catalog", ...decodeCatalog(whole(), core) }];
  if (name === PARTITION_METADATA_FILE || name === META_PROPERTIES_FILE)
    return [{ type: "properties", ...Object.fromEntries(parseProperties(utf8.decode(whole()))) }];
  if (name === LEADER_EPOCH_FILE) {
    return decodeCheckpoint(whole(), name, 2).map(([epoch, startOffset]) => ({
      type: "leaderEpoch",
      epoch: Number(epoch),
      startOffset: Number(startOffset),
    }));
  }
  if (name.endsWith("-offset-checkpoint")) {
    return decodeCheckpoint(whole(), name, 3).map(([topic, partition, offset]) => ({
      type: "checkpoint",
      topic,
      partition: Number(partition),
      offset: Number(offset),
    }));
  }
  if (name === ".kafka_cleanshutdown") return [{ type: "cleanShutdown", contents: utf8.decode(whole()) }];
  return null;
}

function* offsetEntries({ baseOffset }: DumpSource, bytes: Uint8Array): Generator<Dumped> {
  const count = Math.floor(bytes.byteLength / OFFSET_ENTRY_BYTE_LENGTH);
  for (let index = 0; index < count; index += 1) {
    const relativeOffset = offsetEntryRelativeOffset(bytes, index);
    const position = offsetEntryPosition(bytes, index);
    // The unwritten space of an index that a broker made in its full size.
    if (relativeOffset === 0 && position === 0) return;
    yield { type: "indexEntry", index, offset: baseOffset + relativeOffset, position };
  }
}

function* timeEntries({ baseOffset }: DumpSource, bytes: Uint8Array): Generator<Dumped> {
  const count = Math.floor(bytes.byteLength / TIME_ENTRY_BYTE_LENGTH);
  for (let index = 0; index < count; index += 1) {
    const timestamp = timeEntryTimestamp(bytes, index);
    const relativeOffset = timeEntryRelativeOffset(bytes, index);
    if (timestamp === 0 && relativeOffset === 0 && index > 0) return;
    yield { type: "timeIndexEntry", index, timestamp, offset: baseOffset + relativeOffset };
  }
}

//  0         2             10             18            26
//  ├ version ┼ producer id ┼ first offset ┼ last offset ┼ last stable offset: int64
function* abortedTransactions(bytes: Uint8Array): Generator<Dumped> {
  const reader = new ByteReader(bytes, "transaction index");
  while (reader.remaining >= TXN_ENTRY_BYTE_LENGTH) {
    yield {
      type: "abortedTransaction",
      version: reader.int16(),
      producerId: reader.int64(),
      firstOffset: reader.int64AsNumber(),
      lastOffset: reader.int64AsNumber(),
      lastStableOffset: reader.int64AsNumber(),
    };
  }
}

//  0         2     6
//  ├ version ┼ crc ┼ count ┤ { producer id: int64 ┼ epoch: int16 ┼ last sequence: int32 ┼ last offset: int64 ┼ offset delta: int32
//                            ┼ timestamp: int64 ┼ coordinator epoch: int32 ┼ first offset of the open transaction: int64 } …
function* producers(bytes: Uint8Array, computed: number): Generator<Dumped> {
  const reader = new ByteReader(bytes, "producer snapshot");
  const version = reader.int16();
  const stored = reader.int32();
  const count = reader.int32();
  yield { type: "snapshot", version, entries: count, checksumHolds: stored >>> 0 === computed >>> 0 };
  for (let index = 0; index < count; index += 1) {
    yield {
      type: "producer",
      producerId: reader.int64(),
      producerEpoch: reader.int16(),
      lastSequence: reader.int32(),
      lastOffset: reader.int64AsNumber(),
      offsetDelta: reader.int32(),
      timestamp: reader.int64AsNumber(),
      coordinatorEpoch: reader.int32(),
      currentTxnFirstOffset: reader.int64AsNumber(),
    };
  }
}

function* slots({ file, core }: DumpSource): Generator<Dumped> {
  for (let index = 0; index < SLOT_COUNT; index += 1) {
    const slot = decodeSlot(readBytes(file, slotAt(index), SLOT_BYTE_LENGTH), core);
    if (slot === null) yield { type: "stateSlot", slot: index, empty: true };
    else if (typeof slot === "string") yield { type: "stateSlot", slot: index, problem: slot };
    else {
      const facts = decodeBlocks(slot, readBytes(file, blockAreaAt(index), slot.blockByteLength), core);
      yield {
        type: "stateSlot",
        slot: index,
        generation: slot.generation,
        partition: slot.partition,
        ...(facts ?? { ...slot.facts, problem: "its block checksums are not those written" }),
      };
    }
  }
}
