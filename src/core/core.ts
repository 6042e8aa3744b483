/**
 * The WebAssembly core as TypeScript sees it: a calculator over bytes that keeps nothing between calls but its tables.
 *
 * A view of its memory lives within one synchronous call. None crosses an `await`, none is stored: growth would detach
 * it, the next call overwrites it. A trap is a `CoreFaultError`; the instance behind this object is then replaced, and
 * nothing is lost, since nothing durable lived there.
 */

/** What one core offers. One instance serves a whole log: its calls are synchronous and never nest. */
export interface Core {
  /** How many bytes `readWindow` holds. */
  readonly readWindowByteLength: number;
  /** Where bytes are put for `scan` to look at. A view: for this turn only. */
  readWindow(): Uint8Array;
  /** Walks whole batches in the first `byteLength` bytes of the read window. The answer is valid until the next call of the core. */
  scan(byteLength: number, options: ScanOptions): BatchScan;
  /**
   * Checks one produced batch wholly: header, checksum, every record's framing, offsets 0, 1, 2 … Any length, any memory; no
   * copy is made of one in the core's own. A codec, the control bit and unknown bits are "attributes", LogAppendTime is
   * "timestamp". Not looked at: base offset and leader epoch (the log stamps them), producer id, epoch and sequence.
   */
  validate(batch: Uint8Array): BatchVerdict;
  /** CRC-32C of any bytes in any memory; `seed` is the checksum of what came before them. */
  crc32c(bytes: Uint8Array, seed?: number): number;
  /** Kafka's murmur2 of a key, as a signed 32-bit number. */
  murmur2(key: Uint8Array): number;
  /** The one batch writer; one batch is open at a time. */
  readonly writer: BatchWriter;
  /** The largest entry at or below `target` in sorted 8-byte offset-index entries, by its number; -1 when there is none. */
  findOffsetEntry(entries: Uint8Array, relativeOffset: number): number;
  /** The largest entry whose timestamp is at most `timestamp` in sorted 12-byte time-index entries, by its number; -1 when there is none. */
  findTimeEntry(entries: Uint8Array, timestamp: number): number;
  /**
   * Writes entry number `count` into offset-index entries. False, and nothing written: both numbers must be 0 to 2^31-1 and
   * above those of the entry before it. Throws a `RangeError` when there is no room for it.
   */
  appendOffsetEntry(entries: Uint8Array, count: number, relativeOffset: number, position: number): boolean;
  /** The same in a time index: `timestamp`, -1 to 2^53-1, must be later than the one before, `relativeOffset` no lower. */
  appendTimeEntry(entries: Uint8Array, count: number, timestamp: number, relativeOffset: number): boolean;
  /**
   * The first record of an uncompressed batch at or above an offset and at or after a time; null when there is none. No copy is
   * made of a batch in the core's own memory; one elsewhere is copied over the read window. The checksum is not looked at.
   * Throws a `CorruptBatchError` when the bytes do not add up, a `UsageError` with `UNSUPPORTED_COMPRESSION_TYPE` for a compressed batch.
   */
  findRecord(batch: Uint8Array, target: RecordTarget): FoundRecord | null;
  /** LZ4 frames as Java's client writes them: independent blocks of 64 KiB, no checksums. Any frame is read. */
  readonly lz4: CoreCodec;
  /** Snappy in the framing of Java's client (xerial); a bare block is read as well. */
  readonly snappy: CoreCodec;
  /** An instance of its own for one pass of compaction. Let go of it when the pass ends: its memory goes with it. */
  compactor(options: CompactorOptions): Compactor;
}

/** A codec over bare bytes of any length in any memory. Answers are in memory of their own, behind `roomBefore` bytes for the caller. */
export interface CoreCodec {
  compress(bytes: Uint8Array, roomBefore?: number): Uint8Array<ArrayBuffer>;
  /** At most `byteLengthMax` bytes come out; more, or bytes that do not add up, is a `CorruptBatchError`. What the bytes claim is not allocated. */
  decompress(bytes: Uint8Array, byteLengthMax: number, roomBefore?: number): Uint8Array<ArrayBuffer>;
}

export interface ScanOptions {
  /** Whether checksums are computed; lengths, magic and order are always looked at. */
  readonly verifyChecksums: boolean;
}

/** Why a scan went no further. */
export type ScanStop =
  | "end" // every byte was used
  | "zero" // a batch length of 0: unwritten space
  | "partial" // a batch goes on behind the window's bytes
  | "length" // a length that no batch can have, or a record count that the batch's bytes cannot hold
  | "magic" // a magic other than 2: Kafka's older formats, or garbage
  | "checksum" // stored and computed CRC differ
  | "offset"; // an offset above 2^53-1, below 0, or not above the batch before it in the window

/** The batches that a scan accepted, in order, and where and why it stopped. Valid until the next call of the core. */
export interface BatchScan {
  readonly count: number;
  readonly stop: ScanStop;
  /** Where in the window the first byte not accepted stands. */
  readonly stopPosition: number;
  /** For "partial": how long the batch says it is, its first 12 bytes included; 0 when not even that can be seen. */
  readonly neededByteLength: number;
  /** For "checksum". */
  readonly storedChecksum: number;
  readonly computedChecksum: number;
  position(index: number): number;
  byteLength(index: number): number;
  baseOffset(index: number): number;
  lastOffset(index: number): number;
  leaderEpoch(index: number): number;
  attributes(index: number): number;
  /** As a number: the nearest one where it does not fit. */
  maxTimestamp(index: number): number;
  recordCount(index: number): number;
}

/** What `validate` says of a batch. `problem` null: it is good. */
export interface BatchVerdict {
  readonly problem: null | "length" | "magic" | "checksum" | "attributes" | "count" | "records" | "offsets" | "timestamp";
  /** Where in the batch the problem was seen. */
  readonly position: number;
  readonly recordCount: number;
  /** The largest record timestamp found, which the header's claim must equal. */
  readonly maxTimestamp: number;
  /** Whether any record has no key: refused by a compacted topic. */
  readonly hasNullKey: boolean;
}

/** What is missing is no condition. */
export interface RecordTarget {
  readonly offset?: number;
  /** Milliseconds. */
  readonly timestamp?: number;
}

/** Where a record's fields lie: positions in its batch. Lengths are -1 for null. */
export interface FoundRecord {
  readonly offset: number;
  /** Milliseconds; the nearest number where 64 bits do not fit. With LogAppendTime, the batch's. */
  readonly timestamp: number;
  readonly start: number;
  readonly end: number;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueStart: number;
  readonly valueLength: number;
  readonly headersStart: number;
  readonly headersCount: number;
}

/**
 * Writes one record batch (magic 2, base offset 0, leader epoch -1, no compression) into the core's write window.
 * A batch that outgrows the window goes on in a buffer of its own: any size up to 2^31-1 works, small ones are fast.
 */
export interface BatchWriter {
  /** Begins a batch, forgetting one that was not finished. */
  begin(options: BatchOptions): void;
  /**
   * Adds a record, its offset delta being the count so far. `headers` null: none.
   * `timestamp`: a whole number from -1 to 2^53-1.
   */
  append(
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly (readonly [name: Uint8Array, value: Uint8Array | null])[] | null,
    timestamp: number,
  ): void;
  /**
   * As `append` without headers, of a key that is text still: its bytes are made where they stay. False, and nothing appended: it has a
   * character beyond ASCII, so that its length in bytes is another, or `append` has something to see to.
   */
  appendText(key: string, value: Uint8Array | null, timestamp: number): boolean;
  /** As `append` without headers, of a key and a value that stand one behind the other from `start` on; -1: there is none. */
  appendFrom(staged: DataView, start: number, keyByteLength: number, valueByteLength: number, timestamp: number): void;
  readonly recordCount: number;
  /** Bytes of the batch so far, header included. */
  readonly byteLength: number;
  /** How many batches were begun: whoever ran code of another's sees by it whether his batch is still the one being written. */
  readonly begunCount: number;
  /**
   * Fills in the header and the checksum. The view lives until the next call of the core. `options`: where they are known only now,
   * in the place of those that the batch was begun with.
   */
  finish(options?: BatchOptions): Uint8Array;
}

export interface BatchOptions {
  /** -1 for none. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly transactional: boolean;
  /** A control batch: a transaction marker, when also transactional. `validate` refuses it, as a broker refuses it from a producer. */
  readonly control?: boolean;
}

export interface CompactorOptions {
  /** Bytes of the offset map, 24 to a key, nine tenths used: Kafka's `log.cleaner.dedupe.buffer.size`. */
  readonly dedupeBufferByteLength: number;
  /** 16 fresh random bytes: keys are hashed under them, so that nobody can make two keys that are taken for one. */
  readonly hashSecret: Uint8Array;
}

/**
 * One pass of compaction: first the dirty batches are mapped, then all are filtered. Batches may be of any length and in any
 * memory. A batch whose bytes do not add up is a `CorruptBatchError`, a compressed one a `UsageError` with
 * `UNSUPPORTED_COMPRESSION_TYPE`; the checksum is not looked at, so scan first. After a `CoreFaultError` the pass is over.
 */
export interface Compactor {
  /** How many different keys it takes. */
  readonly keyCountMax: number;
  readonly keyCount: number;
  /** Records up to here are covered by the map; -1 while it is empty. */
  readonly latestOffset: number;
  /**
   * Where segments are read to. What stands there is scanned, summed, mapped and filtered where it is, and stays as it is. A view:
   * for this turn only, and only until a batch is filtered.
   */
  readWindow(): Uint8Array<ArrayBuffer>;
  /** Where what is left of batches is gathered, by the caller. A view, as the read window's. */
  writeWindow(): Uint8Array<ArrayBuffer>;
  /** As the core's, of the read window. */
  scan(byteLength: number, options: ScanOptions): BatchScan;
  /** As the core's. Bytes of the windows are not copied. */
  crc32c(bytes: Uint8Array, seed?: number): number;
  /**
   * The checksums of blocks of `blockByteLength`, one of which was begun: it has `begunByteLength` bytes and the checksum `open`. Those that
   * `bytes` end are added to `ended`; answers that of the one that is open then, 0 for none.
   */
  crc32cOfBlocks(bytes: Uint8Array, open: number, begunByteLength: number, blockByteLength: number, ended: number[]): number;
  /** Forgets all keys, for the next round of a pass that did not fit. */
  clear(): void;
  /** Puts the keys of the batch's records from `startOffset` on into the map. False: it is full, and covers records up to `latestOffset` alone. */
  mapBatch(batch: Uint8Array, startOffset: number): boolean;
  /**
   * Maps batches `index` to `end` of the last scan, for a while. Answers how many: it stops before one in a transaction, a control batch, a
   * compressed one, one whose bytes do not add up, and one that the map has no room for.
   */
  mapWindow(index: number, end: number, startOffset: number): number;
  /**
   * When all is mapped: finds out, for a while, which records are their keys' newest, so that they need not be looked up when they are
   * filtered. True while there is more to be found out; whoever does not ask is answered the same, later.
   */
  settle(): boolean;
  /** Covers a batch without looking into it: control batches, and those of aborted transactions. */
  coverTo(lastOffset: number): void;
  /** What is left of a batch. If it must be written anew, then where `into` begins, a part of the write window: unless it might not fit. */
  filterBatch(batch: Uint8Array, options: FilterOptions, into?: Uint8Array): FilteredBatch;
  /** Filters batches `index` to `end` of the last scan, for a while, into a part of the write window. Stops as `mapWindow`, or for want of room. */
  filterWindow(index: number, end: number, options: Pick<FilterOptions, "nowMs" | "deleteRetentionMs">, into: Uint8Array): FilteredWindow;
}

/** What is left of batches of the window, side by side where `into` begins. */
export interface FilteredWindow {
  /** How many were filtered. */
  readonly batchCount: number;
  readonly byteLength: number;
  readonly recordsBefore: number;
  readonly recordsAfter: number;
  /** Of the next one no record stays, but it has a producer: the caller says whether its header does. */
  readonly isNextEmpty: boolean;
}

export interface FilterOptions {
  readonly nowMs: number;
  /** The topic's `deleteRetentionMs`; may be `Infinity`. */
  readonly deleteRetentionMs: number;
  /** No record survives: aborted data, or an empty transaction's marker whose delete horizon has passed. */
  readonly discardRecords?: boolean;
  /** A marker whose transaction has no data left: it is given a delete horizon when it has none. */
  readonly isEmptyMarker?: boolean;
  /** When no record survives, the header is kept all the same: a producer's last batch, or the last of the cleaned range. */
  readonly retainEmpty?: boolean;
}

export interface FilteredBatch {
  /** unchanged: the bytes given stay. rewritten, emptied: other bytes, checksum included. dropped: none. */
  readonly outcome: "unchanged" | "rewritten" | "emptied" | "dropped";
  /** Empty when dropped. Lives until the next call of this compactor. A batch that was given in the window's memory: look here for it again. */
  readonly bytes: Uint8Array;
  readonly recordCount: number;
  readonly maxTimestamp: number;
}
