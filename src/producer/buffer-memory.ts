/** How many bytes are on their way, against the most that may be. */
export class BufferMemory {
  readonly byteLengthMax: number;
  #usedByteLength = 0;
  readonly #onRelease: () => void;

  constructor(byteLengthMax: number, onRelease: () => void) {
    this.byteLengthMax = byteLengthMax;
    this.#onRelease = onRelease;
  }

  get usedByteLength(): number {
    return this.#usedByteLength;
  }

  /** Whether there was room. */
  reserve(byteLength: number): boolean {
    if (this.#usedByteLength + byteLength > this.byteLengthMax) return false;
    this.#usedByteLength += byteLength;
    return true;
  }

  release(byteLength: number): void {
    this.#usedByteLength -= byteLength;
    this.#onRelease();
  }
}
