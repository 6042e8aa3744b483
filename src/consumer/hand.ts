/** What the caller has in hand: delivered, and not moved past until the next is asked for. */
import type { PartitionState } from "./partition-state.ts";

export class Hand {
  /** Of an iteration, the one partition; the first of those that a poll took from. Each knows from which offset on. */
  #first: PartitionState | null = null;
  #others: PartitionState[] = [];
  #waiting: (() => void)[] = [];
  /** Whether a commit without argument covers it: after a poll, as in Kafka. */
  coversCommit = false;

  get isEmpty(): boolean {
    return this.#first === null;
  }

  /** `offset` is in hand now; reading goes on at `nextPosition`. */
  take(state: PartitionState, offset: number, nextPosition: number): void {
    state.position = nextPosition;
    if (state.handFrom !== null) return;
    state.handFrom = offset;
    if (this.#first === null) this.#first = state;
    else this.#others.push(state);
  }

  /** The next was asked for: what was in hand is moved past. */
  moveOn(): void {
    if (this.#first === null) return;
    this.#first.handFrom = null;
    for (const state of this.#others) state.handFrom = null;
    this.#empty();
  }

  /** The iteration was left: what was in hand is delivered again. */
  giveBack(): void {
    this.#first?.giveBack();
    for (const state of this.#others) state.giveBack();
    this.#empty();
  }

  /** Resolves when there is nothing in hand. */
  whenEmpty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #empty(): void {
    this.#first = null;
    this.coversCommit = false;
    if (this.#others.length > 0) this.#others = [];
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
