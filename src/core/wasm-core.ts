/** The core as everyone else sees it: calls into one instance, each one whole within a synchronous turn. */

import { UsageError } from "../base/errors.ts";
import { WindowScan } from "./batch-scan.ts";
import { validateBatch } from "./batch-validation.ts";
import { WindowBatchWriter } from "./batch-writer.ts";
import { InstanceCompactor } from "./compactor.ts";
import type {
  BatchScan,
  BatchVerdict,
  BatchWriter,
  Compactor,
  CompactorOptions,
  Core,
  CoreCodec,
  FoundRecord,
  RecordTarget,
  ScanOptions,
} from "./core.ts";
import { LZ4, SNAPPY, WindowCodec } from "./core-codec.ts";
import { CoreHost, CoreMemory } from "./core-host.ts";
import { CorruptBatchError } from "./corrupt-batch-error.ts";
import { crc32c } from "./crc32c.ts";
import { OFFSET_ENTRY_BYTE_LENGTH, TIME_ENTRY_BYTE_LENGTH } from "./index-entries.ts";
import { appendEntry, findEntry } from "./index-search.ts";
import { murmur2 } from "./murmur2.ts";
import { findRecord } from "./record-search.ts";
import type { WasmModule } from "./web-assembly.ts";

export class WasmCore implements Core {
  readonly writer: BatchWriter;
  readonly lz4: CoreCodec;
  readonly snappy: CoreCodec;
  readonly readWindowByteLength: number;
  readonly #module: WasmModule;
  readonly #host: CoreHost;

  constructor(module: WasmModule) {
    this.#module = module;
    this.#host = new CoreHost(module);
    this.readWindowByteLength = this.#host.memory.windowByteLength;
    this.lz4 = new WindowCodec(this.#host, module, LZ4);
    this.snappy = new WindowCodec(this.#host, module, SNAPPY);
    this.writer = new WindowBatchWriter(this.#host, this);
  }

  readWindow(): Uint8Array {
    const { bytes, readWindowAt, windowByteLength } = this.#host.memory;
    return bytes.subarray(readWindowAt, readWindowAt + windowByteLength);
  }

  scan(byteLength: number, options: ScanOptions): BatchScan {
    const { memory } = this.#host;
    try {
      return new WindowScan(memory, memory.exports.scan(byteLength, options.verifyChecksums ? 1 : 0));
    } catch (error) {
      throw this.#host.faultOf(error, `a scan of ${byteLength} bytes`);
    }
  }

  validate(batch: Uint8Array): BatchVerdict {
    try {
      return validateBatch(this.#host.memory, batch);
    } catch (error) {
      throw this.#host.faultOf(error, `the validation of a batch of ${batch.length} bytes`);
    }
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    const { memory } = this.#host;
    try {
      return crc32c(memory, bytes, seed);
    } catch (error) {
      throw this.#host.faultOf(error, `the checksum of ${bytes.length} bytes`);
    }
  }

  murmur2(key: Uint8Array): number {
    try {
      return murmur2(this.#host.memory, key);
    } catch (error) {
      throw this.#host.faultOf(error, `the hash of a key of ${key.length} bytes`);
    }
  }

  findOffsetEntry(entries: Uint8Array, relativeOffset: number): number {
    const { memory } = this.#host;
    try {
      return findEntry(memory, memory.exports.findOffsetEntry, OFFSET_ENTRY_BYTE_LENGTH, entries, relativeOffset);
    } catch (error) {
      throw this.#host.faultOf(error, `a search of ${entries.length} bytes of offset index`);
    }
  }

  findTimeEntry(entries: Uint8Array, timestamp: number): number {
    const { memory } = this.#host;
    try {
      return findEntry(memory, memory.exports.findTimeEntry, TIME_ENTRY_BYTE_LENGTH, entries, timestamp);
    } catch (error) {
      throw this.#host.faultOf(error, `a search of ${entries.length} bytes of time index`);
    }
  }

  appendOffsetEntry(entries: Uint8Array, count: number, relativeOffset: number, position: number): boolean {
    const { memory } = this.#host;
    try {
      return appendEntry(memory, memory.exports.appendOffsetEntry, OFFSET_ENTRY_BYTE_LENGTH, entries, count, relativeOffset, position);
    } catch (error) {
      throw error instanceof RangeError ? error : this.#host.faultOf(error, `the appending of an entry to an index of offsets`);
    }
  }

  appendTimeEntry(entries: Uint8Array, count: number, timestamp: number, relativeOffset: number): boolean {
    const { memory } = this.#host;
    try {
      return appendEntry(memory, memory.exports.appendTimeEntry, TIME_ENTRY_BYTE_LENGTH, entries, count, timestamp, relativeOffset);
    } catch (error) {
      throw error instanceof RangeError ? error : this.#host.faultOf(error, `the appending of an entry to an index of times`);
    }
  }

  findRecord(batch: Uint8Array, target: RecordTarget): FoundRecord | null {
    const { memory } = this.#host;
    let place = memory.placeOf(batch);
    if (place < 0) {
      if (batch.length > memory.windowByteLength) return this.#findInLongBatch(batch, target);
      place = memory.readWindowAt;
      memory.bytes.set(batch, place);
    }
    try {
      return findRecord(memory, batch, place, target);
    } catch (error) {
      if (error instanceof CorruptBatchError || error instanceof UsageError) throw error;
      throw this.#host.faultOf(error, `a search of a batch of ${batch.length} bytes`);
    }
  }

  /** In an instance made for it, as large as it takes: no batch of the default `maxMessageBytes` comes here. */
  #findInLongBatch(batch: Uint8Array, target: RecordTarget): FoundRecord | null {
    const memory = new CoreMemory(this.#module);
    memory.reserve(memory.arenaEnd + batch.length);
    memory.bytes.set(batch, memory.arenaEnd);
    return findRecord(memory, batch, memory.arenaEnd, target);
  }

  compactor(options: CompactorOptions): Compactor {
    return new InstanceCompactor(this.#module, options);
  }
}
