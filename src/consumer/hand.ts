/** What the caller has in hand: delivered, and not moved past until the next is asked for. */
import type { PartitionState } from "./partition-state.ts";

export class Hand {
  /** One partition in an iteration, any number after a poll. Each knows from which offset on. */
  #held: PartitionState[] = [];
  #waiting: (() => void)[] = [];
  /** Whether a commit without argument covers it: after a poll, as in Kafka. */
  coversCommit = false;

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** `offset` is in hand now; reading goes on at `nextPosition`. */
  take(state: PartitionState, offset: number, nextPosition: number): void {
    if (state.handFrom === null) {
      state.handFrom = offset;
      this.#held.push(state);
    }
    state.position = nextPosition;
  }

  /** The next was asked for: what was in hand is moved past. */
  moveOn(): void {
    if (this.#held.length === 0) return;
    for (const state of this.#held) state.handFrom = null;
    this.#empty();
  }

  /** The iteration was left: what was in hand is delivered again. */
  giveBack(): void {
    for (const state of this.#held) state.giveBack();
    this.#empty();
  }

  /** Resolves when there is nothing in hand. */
  whenEmpty(): Promise<void> {
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #empty(): void {
    this.coversCommit = false;
    // One array serves all records of an iteration.
    this.#held.length = 0;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
