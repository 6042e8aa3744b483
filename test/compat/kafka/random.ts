/** Chance with a seed: what a suite generated can be generated again. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `bound` - 1. */
  below(bound: number): number {
    // Mulberry32, in the public domain: short, and good enough to choose shapes of records.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  /** True one time in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  bytes(byteLength: number): Uint8Array {
    const bytes = new Uint8Array(byteLength);
    for (let at = 0; at < byteLength; at++) bytes[at] = this.below(256);
    return bytes;
  }

  /** Letters that a dump prints as they are, an umlaut and a sign of four bytes among them. */
  text(letterCount: number): string {
    let text = "";
    for (let count = 0; count < letterCount; count++) text += this.pick([..."abcdefghijklmnopqrstuvwxyz0123456789-äß漢🧵"]);
    return text;
  }
}
