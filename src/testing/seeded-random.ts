/** Chance that can be had again: the same seed gives the same numbers, on every machine. */
import type { Bytes } from "../api/bytes.ts";
import type { Random } from "../base/clock.ts";

/** Four words of state, from a number (its low 32 bits) or a string. Never for secrets. */
export class SeededRandom implements Random {
  /** What to say when a run fails. */
  readonly seed: number | string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number | string) {
    this.seed = seed;
    let hash = 0x9e3779b9;
    // Each code unit is stirred in; a number goes through the same mill, so that neighbouring seeds are strangers.
    const text = typeof seed === "number" ? `#${seed >>> 0}` : seed;
    for (let at = 0; at < text.length; at++) hash = stir(hash ^ text.charCodeAt(at));
    this.#a = hash;
    this.#b = stir(hash + 0x6d2b79f5);
    this.#c = stir(hash ^ 0x5bd1e995);
    for (let round = 0; round < 12; round++) this.#word();
  }

  next(): number {
    // 53 bits from two words.
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  bytes(count: number): Bytes {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at++) bytes[at] = this.#word() >>> 24;
    return bytes;
  }

  /** A whole number, at least `least` and less than `limit`. */
  integer(least: number, limit: number): number {
    return least + Math.floor(this.next() * (limit - least));
  }

  /** One of `choices`. */
  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError("SeededRandom.pick: expected at least one choice, found none");
    return choices[this.integer(0, choices.length)] as T;
  }

  /** True with the given chance, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Another stream, decided by this one: what one part draws then does not move what another part gets. */
  fork(): SeededRandom {
    return new SeededRandom(this.#word());
  }

  /** A small chaotic generator with a counter, which bounds its shortest cycle. */
  #word(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum;
  }
}

/** Spreads each bit of a word over all of it, one to one. */
function stir(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) | 0;
}
