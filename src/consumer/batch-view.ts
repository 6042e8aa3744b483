/** A stored batch as `batches()` gives it: an iterable of lazy views, from the first offset that is wanted. */
import type { Bytes } from "../api/bytes.ts";
import type { ConsumerRecord, RecordBatch } from "../api/consumer.ts";
import type { Deserializer, SerdeContext } from "../api/serde.ts";
import { RecordCursor } from "../base/record-decoder.ts";
import { bytes } from "../base/serdes/bytes.ts";
import { inPlaceReaderOf, type ReadInPlace } from "../base/serdes/in-place.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { framingError, NO_HEADERS } from "./plain-record.ts";
import { RecordView } from "./record-view.ts";

export interface Serdes<K, V> {
  readonly key: Deserializer<K>;
  readonly value: Deserializer<V>;
  /** How they read without a view, where they can and a view is not what they give. */
  readonly keyInPlace?: ReadInPlace<K> | null;
  readonly valueInPlace?: ReadInPlace<V> | null;
}

/** The same, for views of records. */
export function viewSerdes<K, V>({ key, value }: Serdes<K, V>): Serdes<K, V> {
  return { key, value, keyInPlace: readerFor(key), valueInPlace: readerFor(value) };
}

function readerFor<T>(deserializer: Deserializer<T>): ReadInPlace<T> | null {
  // Its values are to be views: in place it copies.
  return (deserializer as unknown) === bytes ? null : inPlaceReaderOf(deserializer);
}

export class BatchView<K, V> implements RecordBatch<K, V> {
  readonly topic: string;
  readonly partition: number;
  readonly #slice: BatchSlice;
  readonly #fromOffset: number;
  readonly #serdes: Serdes<K, V>;
  readonly #context: SerdeContext;
  /** For the package's own, as what stands below: not on the face. Asking an array for its buffer is a call into the runtime. */
  readonly #buffer: ArrayBuffer;
  readonly #byteOffset: number;
  /** The records there are, where the header does not tell: what compaction left, or what was not skipped. */
  #facts: { readonly firstOffset: number; readonly lastOffset: number; readonly length: number } | null = null;
  readonly #records: readonly RecordView<K, V>[] | null;

  /** `records`: those to be given, where some are left out. */
  constructor(slice: BatchSlice, fromOffset: number, serdes: Serdes<K, V>, records: readonly RecordView<K, V>[] | null = null) {
    this.topic = slice.state.topic;
    this.partition = slice.state.partition;
    this.#slice = slice;
    this.#fromOffset = Math.max(fromOffset, slice.baseOffset);
    this.#serdes = serdes;
    this.#context = { topic: this.topic, headers: NO_HEADERS };
    this.#records = records;
    this.#buffer = slice.bytes.buffer as ArrayBuffer;
    this.#byteOffset = slice.bytes.byteOffset;
  }

  get firstOffset(): number {
    return this.#count().firstOffset;
  }

  /** Of the last record; what compaction took behind it is not in it. */
  get lastOffset(): number {
    return this.#count().lastOffset;
  }

  get length(): number {
    return this.#count().length;
  }

  [Symbol.iterator](): Iterator<ConsumerRecord<K, V>> {
    return this.#records === null ? new ViewIterator(this, this.#slice, this.#fromOffset) : this.#records[Symbol.iterator]();
  }

  #count(): { readonly firstOffset: number; readonly lastOffset: number; readonly length: number } {
    this.#facts ??= this.#isDense() ? this.#fromHeader() : this.#fromRecords();
    return this.#facts;
  }

  /** Every offset from the first to the last has its record: so it is unless compaction, or a skip, took some. */
  #isDense(): boolean {
    const { baseOffset, lastOffset, recordCount } = this.#slice;
    return this.#records === null && recordCount === lastOffset - baseOffset + 1;
  }

  #fromHeader(): { firstOffset: number; lastOffset: number; length: number } {
    const { lastOffset } = this.#slice;
    return { firstOffset: this.#fromOffset, lastOffset, length: lastOffset - this.#fromOffset + 1 };
  }

  #fromRecords(): { firstOffset: number; lastOffset: number; length: number } {
    let firstOffset = -1;
    let lastOffset = -1;
    let length = 0;
    for (const { offset } of this) {
      if (length === 0) firstOffset = offset;
      lastOffset = offset;
      length += 1;
    }
    return { firstOffset, lastOffset, length };
  }

  // For the package's own: not on the face.

  get slice(): BatchSlice {
    return this.#slice;
  }
  get bytes(): Bytes {
    return this.#slice.bytes;
  }
  get buffer(): ArrayBuffer {
    return this.#buffer;
  }
  get byteOffset(): number {
    return this.#byteOffset;
  }
  get at(): number {
    return this.#slice.at;
  }
  get serdes(): Serdes<K, V> {
    return this.#serdes;
  }
  get context(): SerdeContext {
    return this.#context;
  }
}

class ViewIterator<K, V> implements IterableIterator<RecordView<K, V>> {
  readonly #batch: BatchView<K, V>;
  readonly #slice: BatchSlice;
  readonly #fromOffset: number;
  readonly #cursor: RecordCursor;

  constructor(batch: BatchView<K, V>, slice: BatchSlice, fromOffset: number) {
    this.#batch = batch;
    this.#slice = slice;
    this.#fromOffset = fromOffset;
    this.#cursor = openCursor(slice);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<RecordView<K, V>> {
    while (advance(this.#cursor, this.#slice)) {
      if (this.#cursor.offset >= this.#fromOffset) return { done: false, value: new RecordView(this.#batch, this.#cursor) };
    }
    return { done: true, value: undefined };
  }
}

/** A cursor before the batch's first record. */
export function openCursor(slice: BatchSlice): RecordCursor {
  try {
    return new RecordCursor(slice.bytes, slice.at);
  } catch (cause) {
    throw sliceError(slice, cause);
  }
}

/** The cursor's `next()`, its errors naming partition and offsets. */
export function advance(cursor: RecordCursor, slice: BatchSlice): boolean {
  try {
    return cursor.next();
  } catch (cause) {
    throw sliceError(slice, cause);
  }
}

/** What is told of a batch that cannot be walked. */
export function sliceError(slice: BatchSlice, cause: unknown): Error {
  return framingError(slice.state, slice.baseOffset, slice.lastOffset, [slice.at, slice.at + slice.byteLength], cause);
}
