/** Standard output as the commands use it: gathered into large writes, as fast as the reader takes it, quiet when the reader has gone. */
import type { Writable } from "node:stream";
import { PipeClosedError } from "./cli-error.ts";
import { jsonText } from "./json-text.ts";

/** As much as is gathered before it is handed to the system. */
const GATHERED_BYTES_MAX = 64 * 1024;

export class Output {
  readonly #stream: Writable;
  #gathered: Uint8Array[] = [];
  #gatheredByteLength = 0;
  #mustWait = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure = failureOf(error);
      this.#wake?.();
    });
    stream.on("drain", () => {
      this.#mustWait = false;
      this.#wake?.();
    });
  }

  /** Answers whether `ready` must be awaited before more is written. The bytes must stay as they are until then. */
  bytes(...parts: readonly Uint8Array[]): boolean {
    for (const part of parts) {
      this.#gathered.push(part);
      this.#gatheredByteLength += part.byteLength;
    }
    if (this.#gatheredByteLength >= GATHERED_BYTES_MAX) this.#hand();
    return this.#mustWait || this.#failure !== null;
  }

  line(text: string): boolean {
    return this.bytes(Buffer.from(`${text}\n`));
  }

  json(value: unknown): boolean {
    return this.line(jsonText(value));
  }

  /** Resolves when the stream takes more. Rejects with a `PipeClosedError` when its reader has gone. */
  async ready(): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    if (this.#mustWait) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
    if (this.#failure !== null) throw this.#failure;
  }

  /** Resolves when the system has everything. */
  async flush(): Promise<void> {
    this.#hand();
    await this.ready();
    await new Promise<void>((resolve, reject) => {
      this.#stream.write("", (error) => (error ? reject(failureOf(error)) : resolve()));
    });
  }

  #hand(): void {
    if (this.#gatheredByteLength === 0 || this.#failure !== null) return;
    this.#mustWait = !this.#stream.write(Buffer.concat(this.#gathered));
    this.#gathered = [];
    this.#gatheredByteLength = 0;
  }
}

/** A write is told of its failure before the stream is: either way a reader that has gone is no failure. */
function failureOf(error: NodeJS.ErrnoException): Error {
  const gone = error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED";
  return gone ? new PipeClosedError("the reader has gone") : error;
}
