/** The core as everyone else sees it: calls into one instance, each one whole within a synchronous turn. */

import { WindowScan } from "./batch-scan.ts";
import { validateBatch } from "./batch-validation.ts";
import { WindowBatchWriter } from "./batch-writer.ts";
import { InstanceCompactor } from "./compactor.ts";
import type { BatchScan, BatchVerdict, BatchWriter, Compactor, CompactorOptions, Core, ScanOptions } from "./core.ts";
import { CoreHost } from "./core-host.ts";
import { findOffsetEntry, findTimeEntry } from "./index-entries.ts";
import { murmur2 } from "./murmur2.ts";
import type { WasmModule } from "./web-assembly.ts";

export class WasmCore implements Core {
  readonly writer: BatchWriter;
  readonly readWindowByteLength: number;
  readonly #module: WasmModule;
  readonly #host: CoreHost;

  constructor(module: WasmModule) {
    this.#module = module;
    this.#host = new CoreHost(module);
    this.readWindowByteLength = this.#host.memory.windowByteLength;
    this.writer = new WindowBatchWriter(this.#host, (bytes) => this.crc32c(bytes));
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
      const place = memory.placeOf(bytes);
      if (place >= 0) {
        memory.exports.crc32c(place, bytes.length, seed);
        return memory.answer(0) >>> 0;
      }
      const { stagingAt, stagingByteLength } = memory;
      let checksum = seed;
      let start = 0;
      do {
        const end = Math.min(bytes.length, start + stagingByteLength);
        memory.bytes.set(end - start === bytes.length ? bytes : bytes.subarray(start, end), stagingAt);
        memory.exports.crc32c(stagingAt, end - start, checksum);
        checksum = memory.answer(0);
        start = end;
      } while (start < bytes.length);
      return checksum >>> 0;
    } catch (error) {
      throw this.#host.faultOf(error, `the checksum of ${bytes.length} bytes`);
    }
  }

  murmur2(key: Uint8Array): number {
    return murmur2(key);
  }

  findOffsetEntry(entries: Uint8Array, relativeOffset: number): number {
    return findOffsetEntry(entries, relativeOffset);
  }

  findTimeEntry(entries: Uint8Array, timestamp: number): number {
    return findTimeEntry(entries, timestamp);
  }

  compactor(options: CompactorOptions): Compactor {
    return new InstanceCompactor(this.#module, options);
  }
}
