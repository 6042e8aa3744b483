/** The core's codecs as everyone else sees them: bytes of any length, in windows that hold them. */
import { type CodecWindows, codecWindows, largeCodecWindows } from "./codec-windows.ts";
import type { CoreCodec } from "./core.ts";
import type { CoreHost } from "./core-host.ts";
import { CorruptBatchError } from "./corrupt-batch-error.ts";
import { compressLz4, decompressLz4, LZ4_WINDOW_BYTE_LENGTH_MAX } from "./lz4-frame.ts";
import { compressSnappy, decompressSnappy, SNAPPY_GROWTH_MAX } from "./snappy-stream.ts";
import type { WasmModule } from "./web-assembly.ts";

interface Framing {
  readonly name: string;
  compress(windows: CodecWindows, bytes: Uint8Array, roomBefore: number): Uint8Array<ArrayBuffer>;
  /** null: a block is larger than the windows hold; in windows of `windowByteLengths` none is. */
  decompress(windows: CodecWindows, bytes: Uint8Array, byteLengthMax: number, roomBefore: number): Uint8Array<ArrayBuffer> | null;
  windowByteLengths(bytes: Uint8Array, byteLengthMax: number): readonly [input: number, output: number];
}

export const LZ4: Framing = {
  name: "lz4",
  compress: compressLz4,
  decompress: decompressLz4,
  windowByteLengths: () => [LZ4_WINDOW_BYTE_LENGTH_MAX, LZ4_WINDOW_BYTE_LENGTH_MAX],
};

export const SNAPPY: Framing = {
  name: "snappy",
  compress: compressSnappy,
  decompress: decompressSnappy,
  // Of memory that is asked for, only what is written to is ever taken.
  windowByteLengths: (bytes, byteLengthMax) => [bytes.length, Math.min(byteLengthMax, bytes.length * SNAPPY_GROWTH_MAX)],
};

export class WindowCodec implements CoreCodec {
  readonly #host: CoreHost;
  readonly #module: WasmModule;
  readonly #framing: Framing;

  constructor(host: CoreHost, module: WasmModule, framing: Framing) {
    this.#host = host;
    this.#module = module;
    this.#framing = framing;
  }

  compress(bytes: Uint8Array, roomBefore = 0): Uint8Array<ArrayBuffer> {
    try {
      return this.#framing.compress(codecWindows(this.#host.memory), bytes, roomBefore);
    } catch (error) {
      throw this.#faultOf(error, `the compression of ${bytes.length} bytes by ${this.#framing.name}`);
    }
  }

  decompress(bytes: Uint8Array, byteLengthMax: number, roomBefore = 0): Uint8Array<ArrayBuffer> {
    try {
      return (
        this.#framing.decompress(codecWindows(this.#host.memory), bytes, byteLengthMax, roomBefore) ??
        this.#decompressLarge(bytes, byteLengthMax, roomBefore)
      );
    } catch (error) {
      throw this.#faultOf(error, `the decompression of ${bytes.length} bytes by ${this.#framing.name}`);
    }
  }

  /** In an instance made for it: no batch as Kafka's clients make them by default comes here. */
  #decompressLarge(bytes: Uint8Array, byteLengthMax: number, roomBefore: number): Uint8Array<ArrayBuffer> {
    const { decompress, windowByteLengths } = this.#framing;
    const windows = largeCodecWindows(this.#module, ...windowByteLengths(bytes, byteLengthMax));
    // Never null: no block is too large for windows made for it.
    return decompress(windows, bytes, byteLengthMax, roomBefore) as Uint8Array<ArrayBuffer>;
  }

  #faultOf(error: unknown, what: string): Error {
    // What there is no memory for is nobody's defect.
    return error instanceof CorruptBatchError || error instanceof RangeError ? error : this.#host.faultOf(error, what);
  }
}
