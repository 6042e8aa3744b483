/** What is left of one batch: the core's filter, with compressed batches opened before it and closed again behind it. */

import { CODECS, codecNumber } from "../../base/record-batch.ts";
import type { CodecName, Compression } from "../../compression/compression.ts";
import type { Compactor, FilterOptions } from "../../core/core.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, MAX_TIMESTAMP_AT, RECORD_COUNT_AT, readInt64 } from "../batch/batch-header.ts";
import type { SegmentSource } from "./segment-source.ts";

export interface CleanedBatch {
  /** null: nothing of it stays. A view that lives until the next call; of an unchanged batch too, the view that was given being gone perhaps. */
  readonly bytes: Uint8Array | null;
  readonly isChanged: boolean;
  readonly recordCount: number;
  readonly maxTimestamp: number;
}

/** Where this runtime cannot write a batch's own codec: any reader of Kafka's reads these, and the best that there is comes first. */
const INSTEAD: readonly CodecName[] = ["lz4", "snappy", "gzip"];

export class BatchCleaning {
  readonly #compactor: Compactor;
  readonly #compression: Compression;
  /** Batches that were written in another codec than they came in. */
  recodedCount = 0;

  constructor(compactor: Compactor, compression: Compression) {
    this.#compactor = compactor;
    this.#compression = compression;
  }

  /** As `Compactor.mapBatch`. */
  map(batch: Uint8Array, startOffset: number): boolean {
    return this.#compactor.mapBatch(this.#compression.decompressBatch(batch), startOffset);
  }

  /** `into`: as `Compactor.filterBatch`. */
  clean(source: SegmentSource, index: number, options: FilterOptions, into?: Uint8Array): CleanedBatch {
    const batch = source.batch(index);
    const at = source.at(index);
    const codec = codecNumber(source.view.getInt16(at + ATTRIBUTES_AT));
    const open = codec === 0 ? batch : this.#compression.decompressBatch(batch);
    const { outcome, bytes, recordCount, maxTimestamp } = this.#compactor.filterBatch(open, options, into);
    if (outcome === "dropped") return { bytes: null, isChanged: true, recordCount: 0, maxTimestamp: -1 };
    if (outcome === "unchanged") {
      // As it stood, not as it would be compressed today.
      return {
        bytes: source.batch(index),
        isChanged: false,
        recordCount: source.view.getInt32(at + RECORD_COUNT_AT),
        maxTimestamp: readInt64(source.view, at + MAX_TIMESTAMP_AT),
      };
    }
    const isEmpty = bytes.byteLength === HEADER_BYTE_LENGTH;
    return { bytes: codec === 0 || isEmpty ? bytes : this.#close(bytes, codec), isChanged: true, recordCount, maxTimestamp };
  }

  /**
   * In the codec it had. Where that cannot be written here the records go into another, or stay open: to keep the batch as it
   * was would not be safe, for it may hold what a tombstone, that goes by and by, has deleted.
   */
  #close(bytes: Uint8Array, codec: number): Uint8Array {
    const own = CODECS[codec] as CodecName;
    if (this.#compression.canCompress(own)) return this.#compression.compressBatch(bytes, own);
    this.recodedCount += 1;
    const other = INSTEAD.find((each) => this.#compression.canCompress(each));
    return other === undefined ? bytes : this.#compression.compressBatch(bytes, other);
  }
}
