/** The segments of a partition in order of base offset, the last one active. */
import { OdradekError } from "../../base/errors.ts";
import type { Segment } from "./segment.ts";

export class SegmentList {
  #segments: Segment[];

  /** At least one; ascending. */
  constructor(segments: readonly Segment[]) {
    this.#segments = [...segments];
  }

  get active(): Segment {
    return this.#segments[this.#segments.length - 1] as Segment;
  }

  get first(): Segment {
    return this.#segments[0] as Segment;
  }

  get count(): number {
    return this.#segments.length;
  }

  get byteLength(): number {
    let total = 0;
    for (const segment of this.#segments) total += segment.byteLength;
    return total;
  }

  all(): readonly Segment[] {
    return this.#segments;
  }

  /** From this segment to the active one. */
  from(segment: Segment): readonly Segment[] {
    return this.#segments.slice(this.#segments.indexOf(segment));
  }

  /** The segment that would hold `offset`: the last whose base is at or below it; the first one when none is. */
  holding(offset: number): Segment {
    const segments = this.#segments;
    // From the end: what is asked for is nearly always near it.
    if (offset >= this.active.baseOffset) return this.active;
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((segments[middle] as Segment).baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return segments[low] as Segment;
  }

  /** null after the active one. Of a segment that is not in the list any more: the one that holds what comes behind it now. */
  after(segment: Segment): Segment | null {
    const index = this.#segments.indexOf(segment);
    return index < 0 ? this.holding(segment.nextOffset) : (this.#segments[index + 1] ?? null);
  }

  add(segment: Segment): void {
    this.#segments.push(segment);
  }

  /** Gives back the hold on the active segment's handles, once. */
  releaseActive(): void {
    if (this.active.isHeld) this.active.release();
  }

  /** Puts a segment in the place of neighbours, of which none is the active one. In one step: no reader finds a gap, or a record twice. */
  replace(sources: readonly Segment[], segment: Segment): void {
    const index = this.#segments.indexOf(sources[0] as Segment);
    const isThere = index >= 0 && sources.every((source, at) => this.#segments[index + at] === source);
    if (!isThere || index + sources.length >= this.#segments.length)
      throw new OdradekError(
        "UNKNOWN_SERVER_ERROR",
        `${segment.logName}: what it was made of are no sealed neighbours of the log any more`,
      );
    this.#segments.splice(index, sources.length, segment);
  }

  /** Takes the oldest ones out; never the active one. */
  removeOldest(count: number): Segment[] {
    return this.#segments.splice(0, Math.min(count, this.#segments.length - 1));
  }

  /** Keeps a sealed segment's files open for whoever reads it next; the active one's are always open. */
  async touched(segment: Segment): Promise<void> {
    if (segment !== this.active && segment.files !== null) await segment.touch();
  }
}
