/** Writes one record batch: the core frames it in its write window, and here the bytes go into the gaps. */

import { UsageError } from "../base/errors.ts";
import { attributesOf, HEADER_BYTE_LENGTH, stampChecksum } from "../base/record-batch.ts";
import { wordsOfLentKey } from "../base/serdes/utf8-bytes.ts";
import type { BatchOptions, BatchWriter, Core } from "./core.ts";
import type { CoreExports } from "./core-exports.ts";
import type { CoreHost, CoreMemory } from "./core-host.ts";
import { TIMESTAMP, WINDOW_FULL } from "./core-status.ts";

type Headers = readonly (readonly [name: Uint8Array, value: Uint8Array | null])[];

/** Kafka's length field is an int32. */
const BATCH_BYTE_LENGTH_MAX = 2 ** 31 - 1;
/** Keys and values up to this length are copied by a loop: cheaper than a call of `set` until about here. */
const LOOP_BYTE_LENGTH_MAX = 24;

/** Up to this length a copy by four bytes is cheaper than a view of them and a call of `set`. */
const WORDS_BYTE_LENGTH_MAX = 256;

/** Slots of the mailbox: assembly/record/batch-writer.ts. */
const VALUE_SLOT = 0;
const HEADERS_SLOT = 1;
/** Two 32-bit lengths announce a header in the staging window. */
const HEADER_SLOT_BYTE_LENGTH = 8;

export class WindowBatchWriter implements BatchWriter {
  readonly #host: CoreHost;
  readonly #core: Pick<Core, "crc32c">;
  #memory: CoreMemory;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  /** Held by itself: called once for each record. */
  #frameRecord: CoreExports["frameRecord"];
  #options: BatchOptions | null = null;
  /** What was in the window when a batch outgrew it; null for one that has not. */
  #taken: Uint8Array<ArrayBuffer> | null = null;
  #takenByteLength = 0;
  begunCount = 0;

  constructor(host: CoreHost, core: Pick<Core, "crc32c">) {
    this.#host = host;
    this.#core = core;
    this.#memory = host.memory;
    this.#bytes = host.memory.bytes;
    this.#view = host.memory.view;
    this.#frameRecord = host.memory.exports.frameRecord;
    this.#call(() => this.#memory.exports.beginBatch());
  }

  get recordCount(): number {
    try {
      return this.#memory.exports.batchRecordCount();
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  get byteLength(): number {
    try {
      return this.#memory.exports.batchByteLength();
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  begin(options: BatchOptions): void {
    if (this.#memory !== this.#host.memory) {
      this.#memory = this.#host.memory;
      this.#bytes = this.#memory.bytes;
      this.#view = this.#memory.view;
      this.#frameRecord = this.#memory.exports.frameRecord;
    }
    this.begunCount += 1;
    this.#options = null;
    this.#taken = null;
    this.#takenByteLength = 0;
    this.#call(() => this.#memory.exports.beginBatch());
    this.#options = options;
  }

  append(key: Uint8Array | null, value: Uint8Array | null, headers: Headers | null, timestamp: number): void {
    if (this.#options === null) throw new UsageError("INVALID_ARGUMENT", "append() to a batch that was not begun");
    if (headers !== null) {
      this.#appendSlowly(key, value, headers, timestamp);
      return;
    }
    const keyLength = key === null ? -1 : key.length;
    const valueLength = value === null ? -1 : value.length;
    let keyAt: number;
    try {
      keyAt = this.#frameRecord(keyLength, valueLength, timestamp);
    } catch (error) {
      throw this.#faultOf(error);
    }
    if (keyAt < 0) {
      this.#appendSlowly(key, value, [], timestamp);
      return;
    }
    const bytes = this.#bytes;
    if (key !== null) {
      const words = wordsOfLentKey(key);
      if (words !== null) this.#copyWords(words, key, keyAt);
      else if (keyLength <= LOOP_BYTE_LENGTH_MAX) for (let i = 0; i < keyLength; i++) bytes[keyAt + i] = key[i] as number;
      else bytes.set(key, keyAt);
    }
    if (value !== null) this.#copyValue(value, valueLength);
  }

  appendText(key: string, value: Uint8Array | null, timestamp: number): boolean {
    if (this.#options === null) throw new UsageError("INVALID_ARGUMENT", "appendText() to a batch that was not begun");
    const valueLength = value === null ? -1 : value.length;
    let keyAt: number;
    try {
      keyAt = this.#frameRecord(key.length, valueLength, timestamp);
    } catch (error) {
      throw this.#faultOf(error);
    }
    if (keyAt < 0) return false;
    if (!this.#copyText(key, keyAt)) {
      this.#call(() => this.#memory.exports.takeRecordBack());
      return false;
    }
    if (value !== null) this.#copyValue(value, valueLength);
    return true;
  }

  appendFrom(staged: DataView, start: number, keyByteLength: number, valueByteLength: number, timestamp: number): void {
    if (this.#options === null) throw new UsageError("INVALID_ARGUMENT", "appendFrom() to a batch that was not begun");
    let keyAt: number;
    try {
      keyAt = this.#frameRecord(keyByteLength, valueByteLength, timestamp);
    } catch (error) {
      throw this.#faultOf(error);
    }
    const valueStart = start + Math.max(0, keyByteLength);
    if (keyAt < 0) {
      const bytesOf = (at: number, byteLength: number): Uint8Array | null =>
        byteLength < 0 ? null : new Uint8Array(staged.buffer, staged.byteOffset + at, byteLength);
      this.#appendSlowly(bytesOf(start, keyByteLength), bytesOf(valueStart, valueByteLength), [], timestamp);
      return;
    }
    if (keyByteLength > 0) this.#copy(staged, start, keyByteLength, keyAt);
    if (valueByteLength > 0) this.#copy(staged, valueStart, valueByteLength, this.#memory.answer(VALUE_SLOT));
  }

  #copy(from: DataView, start: number, byteLength: number, at: number): void {
    if (byteLength > WORDS_BYTE_LENGTH_MAX) {
      this.#bytes.set(new Uint8Array(from.buffer, from.byteOffset + start, byteLength), at);
      return;
    }
    const view = this.#view;
    let i = 0;
    for (; i + 4 <= byteLength; i += 4) view.setInt32(at + i, from.getInt32(start + i, true), true);
    for (; i < byteLength; i += 1) view.setUint8(at + i, from.getUint8(start + i));
  }

  #copyValue(value: Uint8Array, byteLength: number): void {
    const bytes = this.#bytes;
    const at = this.#memory.answer(VALUE_SLOT);
    if (byteLength <= LOOP_BYTE_LENGTH_MAX) for (let i = 0; i < byteLength; i++) bytes[at + i] = value[i] as number;
    else bytes.set(value, at);
  }

  /** False: it is not ASCII, and what stands there now is nothing. */
  #copyText(text: string, at: number): boolean {
    const view = this.#view;
    const { length } = text;
    let i = 0;
    let seen = 0;
    for (; i + 4 <= length; i += 4) {
      const a = text.charCodeAt(i);
      const b = text.charCodeAt(i + 1);
      const c = text.charCodeAt(i + 2);
      const d = text.charCodeAt(i + 3);
      seen |= a | b | c | d;
      view.setInt32(at + i, a | (b << 8) | (c << 16) | (d << 24), true);
    }
    for (; i < length; i += 1) {
      const unit = text.charCodeAt(i);
      seen |= unit;
      view.setUint8(at + i, unit);
    }
    return seen <= 0x7f;
  }

  /** No byte behind the key may be touched: what announces the value stands there already. */
  #copyWords(words: Int32Array, key: Uint8Array, keyAt: number): void {
    const { length } = key;
    const view = this.#view;
    let i = 0;
    for (; i + 4 <= length; i += 4) view.setInt32(keyAt + i, words[i >> 2] as number, true);
    for (; i < length; i += 1) view.setUint8(keyAt + i, key[i] as number);
  }

  finish(decided?: BatchOptions): Uint8Array {
    if (this.#options === null) throw new UsageError("INVALID_ARGUMENT", "finish() of a batch that was not begun");
    if (this.#memory !== this.#host.memory) throw this.#host.lost("the batch being written");
    const options = decided ?? this.#options;
    this.#options = null;
    const { exports, writeWindowAt } = this.#memory;
    if (this.#taken !== null) this.#takeWindow();
    const byteLength = this.#call(() =>
      exports.finishBatch(attributesOf(options), options.producerId, options.producerEpoch, options.baseSequence),
    );
    if (this.#taken === null) return this.#bytes.subarray(writeWindowAt, writeWindowAt + byteLength);
    const batch = this.#taken.subarray(0, byteLength);
    batch.set(this.#bytes.subarray(writeWindowAt, writeWindowAt + HEADER_BYTE_LENGTH));
    stampChecksum(batch, this.#core);
    // Given away, not kept: the next batch begins in the window again.
    this.#taken = null;
    return batch;
  }

  /** A record with headers, or one for which the window has no room left. */
  #appendSlowly(key: Uint8Array | null, value: Uint8Array | null, headers: Headers, timestamp: number): void {
    this.#call(() => {
      const { exports } = this.#memory;
      const keyLength = key === null ? -1 : key.length;
      const valueLength = value === null ? -1 : value.length;
      const headersByteLength = this.#headersByteLength(headers);
      const frame = (): number => exports.frameRecordWithHeaders(keyLength, valueLength, timestamp, headers.length, headersByteLength);
      let keyAt = frame();
      if (keyAt === WINDOW_FULL) {
        this.#takeWindow();
        keyAt = frame();
      }
      if (keyAt === WINDOW_FULL) {
        keyAt = exports.frameRecordApart(keyLength, valueLength, timestamp, headers.length, headersByteLength);
        this.#refuse(keyAt, timestamp);
        this.#takeApart(key, value, headers, keyAt);
        return;
      }
      this.#refuse(keyAt, timestamp);
      if (key !== null) this.#bytes.set(key, keyAt);
      if (value !== null) this.#bytes.set(value, this.#memory.answer(VALUE_SLOT));
      this.#eachHeader(headers, (name, nameAt, content, contentAt) => {
        this.#bytes.set(name, nameAt);
        if (content !== null) this.#bytes.set(content, contentAt);
      });
    });
  }

  #refuse(status: number, timestamp: number): void {
    if (status >= 0) return;
    if (status === TIMESTAMP) {
      throw new UsageError("INVALID_TIMESTAMP", `a record's timestamp must be a whole number from -1 to 2^53-1; it is ${timestamp}`);
    }
    // It is too long: the core refuses a record for nothing else, and a full window was asked about before.
    const message = `a batch with one record too many: none can be longer than ${BATCH_BYTE_LENGTH_MAX} bytes`;
    throw new UsageError("RECORD_LIST_TOO_LARGE", message);
  }

  #headersByteLength(headers: Headers): number {
    let byteLength = 0;
    this.#eachChunk(headers, (chunk) => {
      const answer = this.#memory.exports.headersByteLength(chunk.length);
      byteLength = answer < 0 ? BATCH_BYTE_LENGTH_MAX : Math.min(BATCH_BYTE_LENGTH_MAX, byteLength + answer);
    });
    return byteLength;
  }

  /** Has the headers framed and tells where each one's name and value go. */
  #eachHeader(
    headers: Headers,
    tell: (name: Uint8Array, nameAt: number, value: Uint8Array | null, valueAt: number) => void,
    before?: () => void,
  ): void {
    const { exports, view, stagingAt } = this.#memory;
    this.#eachChunk(headers, (chunk) => {
      exports.frameHeaders(chunk.length);
      before?.();
      for (const [i, [name, value]] of chunk.entries()) {
        const slotAt = stagingAt + i * HEADER_SLOT_BYTE_LENGTH;
        tell(name, view.getInt32(slotAt, true), value, view.getInt32(slotAt + 4, true));
      }
    });
  }

  /** Puts the lengths of as many headers as fit into the staging window, time and again. */
  #eachChunk(headers: Headers, use: (chunk: Headers) => void): void {
    const { view, stagingAt, stagingByteLength } = this.#memory;
    const countMax = stagingByteLength / HEADER_SLOT_BYTE_LENGTH;
    for (let start = 0; start < headers.length; start += countMax) {
      const chunk = headers.length <= countMax ? headers : headers.slice(start, start + countMax);
      for (const [i, [name, value]] of chunk.entries()) {
        const slotAt = stagingAt + i * HEADER_SLOT_BYTE_LENGTH;
        view.setInt32(slotAt, name.length, true);
        view.setInt32(slotAt + 4, value === null ? -1 : value.length, true);
      }
      use(chunk);
    }
  }

  /** What is framed so far goes to an array of the batch's own, and the window is free. */
  #takeWindow(): void {
    const { exports, writeWindowAt } = this.#memory;
    const byteLength = exports.takeWindow();
    this.#take(this.#bytes.subarray(writeWindowAt, writeWindowAt + byteLength));
  }

  /** A record whose framing stands in the window without gaps: piece by piece, its bytes in between. */
  #takeApart(key: Uint8Array | null, value: Uint8Array | null, headers: Headers, keyAt: number): void {
    let from = this.#memory.writeWindowAt;
    const takeTo = (end: number, bytes: Uint8Array | null): void => {
      this.#take(this.#bytes.subarray(from, end));
      if (bytes !== null) this.#take(bytes);
      from = end;
    };
    const valueAt = this.#memory.answer(VALUE_SLOT);
    const headersAt = this.#memory.answer(HEADERS_SLOT);
    takeTo(keyAt, key);
    takeTo(valueAt, value);
    takeTo(headersAt, null);
    this.#eachHeader(
      headers,
      (name, nameAt, content, contentAt) => {
        takeTo(nameAt, name);
        takeTo(contentAt, content);
      },
      () => {
        from = this.#memory.writeWindowAt;
      },
    );
  }

  #take(bytes: Uint8Array): void {
    const end = this.#takenByteLength + bytes.length;
    if (this.#taken === null || end > this.#taken.length) {
      const roomMin = Math.max(end, 2 * (this.#taken?.length ?? this.#memory.windowByteLength));
      const larger = new Uint8Array(Math.min(BATCH_BYTE_LENGTH_MAX, roomMin));
      if (this.#taken !== null) larger.set(this.#taken.subarray(0, this.#takenByteLength));
      this.#taken = larger;
    }
    this.#taken.set(bytes, this.#takenByteLength);
    this.#takenByteLength = end;
  }

  #call<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      // What there is no memory for is nobody's defect.
      throw error instanceof UsageError || error instanceof RangeError ? error : this.#faultOf(error);
    }
  }

  #faultOf(error: unknown): Error {
    return this.#host.faultOf(error, "the writing of a batch");
  }
}
