/** Where the next batch after a recent read stands: a reader that goes on needs no index, and knows what offset must stand there. */

/** As many readers of one segment as are worth remembering. */
const HINT_COUNT_MAX = 16;

export class PositionHints {
  readonly #offsets: number[] = [];
  readonly #positions: number[] = [];
  #next = 0;

  /** A batch whose base offset is `offset` begins, or will begin, at `position`. */
  add(offset: number, position: number): void {
    const known = this.#offsets.indexOf(offset);
    const slot = known >= 0 ? known : this.#next;
    if (known < 0) this.#next = (this.#next + 1) % HINT_COUNT_MAX;
    this.#offsets[slot] = offset;
    this.#positions[slot] = position;
  }

  /** -1: not remembered. */
  positionOf(offset: number): number {
    const slot = this.#offsets.indexOf(offset);
    return slot < 0 ? -1 : (this.#positions[slot] as number);
  }

  /** null: not remembered. */
  offsetAt(position: number): number | null {
    const slot = this.#positions.indexOf(position);
    return slot < 0 ? null : (this.#offsets[slot] as number);
  }

  clear(): void {
    this.#offsets.length = 0;
    this.#positions.length = 0;
    this.#next = 0;
  }
}
