/** One pass of compaction in an instance of its own: the offset map stands behind the core's fixed map, the batches behind it. */

import { readInt32, readInt64 } from "../base/big-endian.ts";
import { UsageError } from "../base/errors.ts";
import { BASE_OFFSET_AT, HEADER_BYTE_LENGTH, LAST_OFFSET_DELTA_AT, RECORD_COUNT_AT } from "../base/record-batch.ts";
import { WindowScan } from "./batch-scan.ts";
import type { BatchScan, Compactor, CompactorOptions, FilteredBatch, FilteredWindow, FilterOptions, ScanOptions } from "./core.ts";
import { CoreMemory, coreFault } from "./core-host.ts";
import { crc32c } from "./crc32c.ts";
import { refusal } from "./refusal.ts";
import type { WasmModule } from "./web-assembly.ts";

/** In the order of their numbers in assembly/compaction/batch-filter.ts. */
const OUTCOMES: readonly FilteredBatch["outcome"][] = ["unchanged", "rewritten", "emptied", "dropped"];
const DISCARD_RECORDS = 1;
const EMPTY_MARKER = 2;
const RETAIN_EMPTY = 4;

const SECRET_BYTE_LENGTH = 16;
const SLOT_BYTE_LENGTH = 24;
/** Room for at least a key or two; and, as Kafka has it, no more than an int32 of bytes. */
const MAP_BYTE_LENGTH_MIN = 10 * SLOT_BYTE_LENGTH;
const MAP_BYTE_LENGTH_MAX = 2 ** 31 - 1;
/** A record grows by no more when its timestamp is counted from another base: 9 bytes of delta, 1 of length. */
const RECORD_GROWTH_MAX = 10;
/** Records that stay side by side are a run; there is one to every two records at most, and a little room so that they stand even. */
const RUN_BYTE_LENGTH = 8;
/** Behind the map its first tags stand once more. */
const TAG_WINDOW_BYTE_LENGTH = 16;
/** Behind that, of each offset that is mapped, two bits: an eighth of the map's bytes is enough for any but the largest, whose other records are looked up. */
const VERDICTS_BYTE_LENGTH_MAX = 4 * 1024 * 1024;
/** Well within a millisecond. */
const PLACES_SETTLED_AT_ONCE = 32_768;
/** Well within a millisecond too; a batch with more of them is one step all the same. */
const RECORDS_MAPPED_AT_ONCE = 4096;
const RECORDS_FILTERED_AT_ONCE = 8192;
const NOTHING: Uint8Array = new Uint8Array(0);

export class InstanceCompactor implements Compactor {
  readonly keyCountMax: number;
  readonly #memory: CoreMemory;
  readonly #mapByteLength: number;
  readonly #secret: Uint8Array;
  readonly #verdictsAt: number;
  readonly #verdictsByteLength: number;
  readonly #batchAt: number;
  #latestOffset = -1;
  #isBroken = false;

  constructor(module: WasmModule, options: CompactorOptions) {
    const { dedupeBufferByteLength, hashSecret } = options;
    if (!(dedupeBufferByteLength >= MAP_BYTE_LENGTH_MIN && dedupeBufferByteLength <= MAP_BYTE_LENGTH_MAX)) {
      throw new UsageError(
        "INVALID_CONFIG",
        `logCleanerDedupeBufferSize must be ${MAP_BYTE_LENGTH_MIN} to ${MAP_BYTE_LENGTH_MAX} bytes; it is ${dedupeBufferByteLength}`,
      );
    }
    if (hashSecret.length !== SECRET_BYTE_LENGTH) {
      throw new UsageError("INVALID_ARGUMENT", `hashSecret must be ${SECRET_BYTE_LENGTH} bytes; it is ${hashSecret.length}`);
    }
    this.#memory = new CoreMemory(module);
    this.#mapByteLength = Math.floor(dedupeBufferByteLength / SLOT_BYTE_LENGTH) * SLOT_BYTE_LENGTH;
    this.#secret = hashSecret.slice();
    this.#verdictsAt = this.#memory.arenaEnd + this.#mapByteLength + TAG_WINDOW_BYTE_LENGTH;
    this.#verdictsByteLength = Math.min(VERDICTS_BYTE_LENGTH_MAX, this.#mapByteLength >> 3);
    this.#batchAt = this.#verdictsAt + this.#verdictsByteLength;
    this.keyCountMax = this.#call("the making of an offset map", () => {
      // The first batches of ordinary size fit at once; a longer one makes room when it comes.
      this.#memory.reserve(this.#batchAt + 2 * this.#memory.windowByteLength);
      return this.#openMap();
    });
  }

  get keyCount(): number {
    return this.#memory.exports.offsetMapKeyCount();
  }

  get latestOffset(): number {
    return this.#latestOffset;
  }

  clear(): void {
    this.#call("the clearing of an offset map", () => this.#openMap());
    this.#latestOffset = -1;
  }

  readWindow(): Uint8Array<ArrayBuffer> {
    const { bytes, readWindowAt, windowByteLength } = this.#memory;
    return bytes.subarray(readWindowAt, readWindowAt + windowByteLength);
  }

  writeWindow(): Uint8Array<ArrayBuffer> {
    const { bytes, writeWindowAt, windowByteLength } = this.#memory;
    return bytes.subarray(writeWindowAt, writeWindowAt + windowByteLength);
  }

  scan(byteLength: number, options: ScanOptions): BatchScan {
    const memory = this.#memory;
    const count = this.#call(`a scan of ${byteLength} bytes`, () => memory.exports.scan(byteLength, options.verifyChecksums ? 1 : 0));
    return new WindowScan(memory, count);
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    return this.#call(`the checksum of ${bytes.length} bytes`, () => crc32c(this.#memory, bytes, seed));
  }

  crc32cOfBlocks(bytes: Uint8Array, open: number, begunByteLength: number, blockByteLength: number, ended: number[]): number {
    const memory = this.#memory;
    const place = memory.placeOf(bytes);
    let checksum = open;
    let begun = begunByteLength;
    for (let done = 0; done < bytes.length; ) {
      // Bytes from elsewhere come by the staging window, and no more at once than there is room for answers.
      const step = Math.min(bytes.length - done, place < 0 ? memory.stagingByteLength : memory.windowByteLength);
      const at = place < 0 ? memory.stagingAt : place + done;
      if (place < 0) memory.bytes.set(bytes.subarray(done, done + step), at);
      const count = this.#call(`the checksums of ${step} bytes`, () =>
        memory.exports.crc32cOfBlocks(at, step, checksum, begun, blockByteLength),
      );
      for (let index = 1; index <= count; index += 1) ended.push(memory.answer(index) >>> 0);
      checksum = memory.answer(0) >>> 0;
      begun = (begun + step) % blockByteLength;
      done += step;
    }
    return checksum;
  }

  mapBatch(batch: Uint8Array, startOffset: number): boolean {
    const byteLength = batch.length;
    const lastOffset = byteLength < HEADER_BYTE_LENGTH ? -1 : readInt64(batch, BASE_OFFSET_AT) + readInt32(batch, LAST_OFFSET_DELTA_AT);
    let at = 0;
    const answer = this.#call(`the mapping of a batch of ${byteLength} bytes`, () => {
      at = this.#placed(batch, 0);
      return this.#memory.exports.mapBatch(at, byteLength, startOffset);
    });
    if (answer < 0) throw refusal(answer, this.#bytesAt(at, byteLength), "compacted");
    const isWhole = answer === 1;
    this.coverTo(isWhole ? lastOffset : this.#memory.answerNumber(3));
    return isWhole;
  }

  mapWindow(index: number, end: number, startOffset: number): number {
    const { exports } = this.#memory;
    const count = this.#call("the mapping of batches", () => exports.mapWindow(index, end, startOffset, RECORDS_MAPPED_AT_ONCE));
    this.coverTo(this.#memory.answerNumber(4));
    return count;
  }

  settle(): boolean {
    return this.#call("the settling of an offset map", () => this.#memory.exports.settleOffsetMap(PLACES_SETTLED_AT_ONCE)) === 1;
  }

  coverTo(lastOffset: number): void {
    if (lastOffset > this.#latestOffset) this.#latestOffset = lastOffset;
  }

  filterBatch(batch: Uint8Array, options: FilterOptions, into: Uint8Array = NOTHING): FilteredBatch {
    const { nowMs, deleteRetentionMs } = options;
    const flags =
      (options.discardRecords === true ? DISCARD_RECORDS : 0) |
      (options.isEmptyMarker === true ? EMPTY_MARKER : 0) |
      (options.retainEmpty === true ? RETAIN_EMPTY : 0);
    const memory = this.#memory;
    const byteLength = batch.length;
    const isOurs = memory.placeOf(batch) >= 0;
    const givenAt = memory.placeOf(into);
    let at = 0;
    let intoAt = 0;
    const answer = this.#call(`the filtering of a batch of ${byteLength} bytes`, () => {
      const recordCount = byteLength < HEADER_BYTE_LENGTH ? 0 : Math.max(0, readInt32(batch, RECORD_COUNT_AT));
      const recordCountMax = Math.min(recordCount, byteLength);
      const intoByteLength = byteLength + HEADER_BYTE_LENGTH + RECORD_GROWTH_MAX * recordCountMax;
      const roomByteLength = intoByteLength + RUN_BYTE_LENGTH * (2 + (recordCountMax >> 1));
      const isGiven = givenAt >= memory.writeWindowAt && roomByteLength <= Math.min(into.length, this.#writeWindowEnd - givenAt);
      at = this.#placed(batch, isGiven ? 0 : roomByteLength);
      intoAt = isGiven ? givenAt : at === this.#batchAt ? at + byteLength : this.#batchAt;
      return memory.exports.filterBatch(
        at,
        byteLength,
        intoAt,
        intoByteLength,
        this.#latestOffset,
        nowMs,
        nowMs + deleteRetentionMs,
        flags,
      );
    });
    if (answer < 0) throw refusal(answer, this.#bytesAt(at, byteLength), "compacted");
    const outcome = OUTCOMES[answer] as FilteredBatch["outcome"];
    // A view of our own memory may be gone by now: more of it was needed.
    const given = isOurs ? this.#bytesAt(at, byteLength) : batch;
    const bytes = outcome === "unchanged" ? given : outcome === "dropped" ? NOTHING : this.#bytesAt(intoAt, memory.answer(0));
    return { outcome, bytes, recordCount: memory.answer(1), maxTimestamp: memory.answerNumber(2) };
  }

  filterWindow(
    index: number,
    end: number,
    { nowMs, deleteRetentionMs }: Pick<FilterOptions, "nowMs" | "deleteRetentionMs">,
    into: Uint8Array,
  ): FilteredWindow {
    const memory = this.#memory;
    const at = memory.placeOf(into);
    if (at < memory.writeWindowAt || at + into.length > this.#writeWindowEnd)
      throw new UsageError("INVALID_ARGUMENT", "what is left of a window goes to a part of the write window");
    const batchCount = this.#call("the filtering of batches", () =>
      memory.exports.filterWindow(
        index,
        end,
        at,
        into.length,
        this.#latestOffset,
        nowMs,
        nowMs + deleteRetentionMs,
        RECORDS_FILTERED_AT_ONCE,
      ),
    );
    return {
      batchCount,
      byteLength: memory.answer(0),
      recordsBefore: memory.answer(1),
      recordsAfter: memory.answer(2),
      isNextEmpty: memory.answer(3) === 1,
    };
  }

  get #writeWindowEnd(): number {
    return this.#memory.writeWindowAt + this.#memory.windowByteLength;
  }

  #bytesAt(at: number, byteLength: number): Uint8Array {
    return this.#memory.bytes.subarray(at, at + byteLength);
  }

  #openMap(): number {
    const memory = this.#memory;
    memory.bytes.set(this.#secret, memory.stagingAt);
    const { arenaEnd, stagingAt } = memory;
    return memory.exports.openOffsetMap(arenaEnd, this.#mapByteLength, stagingAt, this.#verdictsAt, this.#verdictsByteLength);
  }

  /** Where the batch stands in the core's memory: in the window, if it is there, else copied. Makes room for what is made of it. */
  #placed(batch: Uint8Array, roomByteLength: number): number {
    const memory = this.#memory;
    const { readWindowAt, windowByteLength } = memory;
    const place = memory.placeOf(batch);
    if (place >= readWindowAt && place + batch.length <= readWindowAt + windowByteLength) {
      memory.reserve(this.#batchAt + roomByteLength);
      return place;
    }
    // More memory takes away every view of the old.
    const bytes = place < 0 ? batch : batch.slice();
    memory.reserve(this.#batchAt + bytes.length + roomByteLength);
    memory.bytes.set(bytes, this.#batchAt);
    return this.#batchAt;
  }

  #call(what: string, call: () => number): number {
    if (this.#isBroken) throw coreFault(this.#memory, undefined, `${what}, having given up before`);
    try {
      return call();
    } catch (error) {
      this.#isBroken = true;
      throw coreFault(this.#memory, error, what);
    }
  }
}
