/** What a partition was given and what it promised of that: by it a log is judged after every fault. */
import type { Watermarks } from "../../../src/api/bytes.ts";
import type { ReadRecord } from "../../log/log-rig.ts";

export class Account {
  /** By offset, what was acknowledged or shown to a reader there. */
  readonly #known: Map<number, string>;
  readonly #sent: Set<string>;
  /** Its sender was told that nothing was kept, and that it may send it again. */
  readonly refused: Set<string>;
  /** Below these: acknowledged, or shown to a reader; and of that, what a loss of power may not take. */
  promised: number;
  durable: number;
  deletedBefore: number;
  deletionAsked: number;
  #count: number;

  constructor(from: Account | null = null) {
    this.#known = new Map(from === null ? [] : from.#known);
    this.#sent = new Set(from === null ? [] : from.#sent);
    this.refused = new Set(from?.refused);
    this.promised = from?.promised ?? 0;
    this.durable = from?.durable ?? 0;
    this.deletedBefore = from?.deletedBefore ?? 0;
    this.deletionAsked = from?.deletionAsked ?? 0;
    this.#count = from === null ? 0 : from.#count;
  }

  /** Values that were never used before. */
  fresh(count: number, length: number): string[] {
    const values = Array.from({ length: count }, (_, index) => `${this.#count + index}:`.padEnd(length, "x"));
    this.#count += count;
    for (const value of values) this.#sent.add(value);
    return values;
  }

  /** They were acknowledged, as standing there. Answers what is wrong with that, or null. */
  acknowledge(baseOffset: number, values: readonly string[], isDurable: boolean): string | null {
    for (const [index, value] of values.entries()) {
      const before = this.#known.get(baseOffset + index) ?? value;
      if (before !== value) return `C4: offset ${baseOffset + index} was handed out again: ${before} was there, now ${value}`;
      this.#known.set(baseOffset + index, value);
    }
    this.#promise(baseOffset + values.length, isDurable);
    return null;
  }

  /** All that is written is durable now. */
  flushed(end: number): void {
    this.#promise(end, true);
  }

  #promise(end: number, isDurable: boolean): void {
    this.promised = Math.max(this.promised, end);
    if (isDurable) this.durable = Math.max(this.durable, end);
  }

  /** `records`: all from the log start on. Answers what is wrong, or null; what is there is the truth from then on. */
  check(marks: Watermarks, records: readonly ReadRecord[], isPowerLost: boolean): string | null {
    const promised = isPowerLost ? this.durable : this.promised;
    const { logStartOffset, highWatermark, logEndOffset } = marks;
    if (logStartOffset < this.deletedBefore) return `log start ${logStartOffset} is below ${this.deletedBefore}, deleted for good`;
    if (logStartOffset > Math.max(this.deletedBefore, this.deletionAsked))
      return `C1: log start ${logStartOffset}, deleted were ${this.deletedBefore}, asked ${this.deletionAsked}`;
    if (highWatermark < promised) return `C1: ${promised} was acknowledged, the high watermark is ${highWatermark} of ${logEndOffset}`;
    const here = new Map<string, number>();
    let next = logStartOffset;
    for (const { offset, value } of records) {
      if (offset < logStartOffset) continue;
      if (offset !== next) return `C2: expected offset ${next}, found ${offset}`;
      next += 1;
      const expected = this.#known.get(offset) ?? value;
      if (expected !== value) return `C3: expected ${expected} at ${offset}, found ${value}`;
      if (!this.#sent.has(value)) return `C3: ${value} at ${offset} was never sent`;
      if (this.refused.has(value)) return `C3: ${value} stands at ${offset}, its sender was told that nothing of it was kept`;
      if (here.has(value)) return `C3: ${value} stands at ${here.get(value)} and at ${offset}`;
      this.#known.set(offset, value);
      here.set(value, offset);
    }
    if (next < highWatermark) return `C2: the high watermark is ${highWatermark}, records end at ${next}`;
    // Shown to a reader: it stands (C4).
    this.#promise(next, false);
    return null;
  }

  /** After a recovery: what is there, is. */
  settle(marks: Watermarks): void {
    for (const offset of this.#known.keys()) if (offset >= marks.logEndOffset) this.#known.delete(offset);
    this.promised = this.durable = marks.logEndOffset;
    this.deletedBefore = this.deletionAsked = marks.logStartOffset;
  }
}
