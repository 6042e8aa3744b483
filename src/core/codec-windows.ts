/** Where the core's codecs work: input and output windows of one instance, and what came out so far. */
import { CoreMemory } from "./core-host.ts";
import type { WasmModule } from "./web-assembly.ts";

/** Codecs read and write some bytes past the end of what they are given: assembly/compression/copying.ts. */
const SLACK = 64;

export interface CodecWindows {
  readonly memory: CoreMemory;
  readonly inputAt: number;
  readonly inputByteLength: number;
  readonly outputAt: number;
  readonly outputByteLength: number;
}

/** Those of the shared instance: for everything of ordinary size. */
export function codecWindows(memory: CoreMemory): CodecWindows {
  const { codecInputAt, codecOutputAt, codecWindowByteLength } = memory;
  return {
    memory,
    inputAt: codecInputAt,
    inputByteLength: codecWindowByteLength,
    outputAt: codecOutputAt,
    outputByteLength: codecWindowByteLength,
  };
}

/** Of an instance made for one call, for a block that the shared windows cannot hold. It goes when the call is over. */
export function largeCodecWindows(module: WasmModule, inputByteLength: number, outputByteLength: number): CodecWindows {
  const memory = new CoreMemory(module);
  const inputAt = memory.arenaEnd;
  const outputAt = inputAt + inputByteLength + SLACK;
  memory.reserve(outputAt + outputByteLength + SLACK);
  return { memory, inputAt, inputByteLength, outputAt, outputByteLength };
}

/** The bytes that a codec is given, a stretch at a time: where they are, when that is the core's memory, else in the input window. */
export class CodecInput {
  readonly bytes: Uint8Array;
  readonly #windows: CodecWindows;
  /** Where all of them stand; -1: they are more than the window holds. */
  readonly #base: number;

  constructor(windows: CodecWindows, bytes: Uint8Array) {
    const { memory, inputAt, inputByteLength } = windows;
    this.bytes = bytes;
    this.#windows = windows;
    const place = memory.placeOf(bytes);
    this.#base = place >= 0 ? place : bytes.length <= inputByteLength ? inputAt : -1;
    if (place < 0 && this.#base >= 0) memory.bytes.set(bytes, inputAt);
  }

  /** Where `byteLength` bytes, at most what the window holds, stand until the next call. */
  place(start: number, byteLength: number): number {
    if (this.#base >= 0) return this.#base + start;
    const { memory, inputAt } = this.#windows;
    memory.bytes.set(this.bytes.subarray(start, start + byteLength), inputAt);
    return inputAt;
  }
}

/** What came out of a codec: in the output window, and in pieces of its own memory when there was more. */
export class CodecOutput {
  /** Where the next byte goes. */
  at: number;
  readonly #windows: CodecWindows;
  readonly #historyByteLengthMax: number;
  readonly #end: number;
  readonly #pieces: Uint8Array[] = [];
  #piecesByteLength = 0;
  /** What stands in the window from here to `at` is in no piece yet. */
  #from: number;

  /** `historyByteLengthMax`: how far back what comes may reach into what was before; so much is kept before it. */
  constructor(windows: CodecWindows, historyByteLengthMax = 0) {
    this.#windows = windows;
    this.#historyByteLengthMax = historyByteLengthMax;
    this.#end = windows.outputAt + windows.outputByteLength;
    this.#from = windows.outputAt;
    this.at = windows.outputAt;
  }

  get byteLength(): number {
    return this.#piecesByteLength + this.at - this.#from;
  }

  /** How many bytes before `at` may be repeated by what comes. */
  get historyByteLength(): number {
    return Math.min(this.#historyByteLengthMax, this.at - this.#windows.outputAt);
  }

  /** Makes room behind `at`, at most the window less the history, and answers how much there is. */
  room(byteLength: number): number {
    if (this.#end - this.at < byteLength) this.#takeWindow();
    return this.#end - this.at;
  }

  put(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.#windows.memory.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** All of it, behind `roomBefore` bytes. */
  finish(roomBefore: number): Uint8Array<ArrayBuffer> {
    const answer = new Uint8Array(roomBefore + this.byteLength);
    let end = roomBefore;
    for (const piece of this.#pieces) {
      answer.set(piece, end);
      end += piece.length;
    }
    answer.set(this.#windows.memory.bytes.subarray(this.#from, this.at), end);
    return answer;
  }

  #takeWindow(): void {
    const { memory, outputAt } = this.#windows;
    const piece = memory.bytes.slice(this.#from, this.at);
    this.#pieces.push(piece);
    this.#piecesByteLength += piece.length;
    const kept = this.historyByteLength;
    memory.bytes.copyWithin(outputAt, this.at - kept, this.at);
    this.at = outputAt + kept;
    this.#from = this.at;
  }
}
