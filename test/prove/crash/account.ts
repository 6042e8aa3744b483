/** What a trial of crashes has seen: disks, each counted once, those of them that were crashed again in recovery, and what broke. */
import { failureOf } from "../failure.ts";
import type { Failure, Tally } from "../prover.ts";

/** A trial that finds so many broken promises has shown enough. */
const FAILURES_MAX = 3;

export class Account {
  /** By kind of subject: disks held against the oracle, as often as they were. */
  readonly byKind: Record<string, number> = {};
  readonly #states = new Set<number>();
  readonly #recrashed = new Set<number>();
  readonly #failures: Failure[] = [];

  get isFull(): boolean {
    return this.#failures.length >= FAILURES_MAX;
  }

  get stateCount(): number {
    return this.#states.size;
  }

  /** A disk was opened and held against the oracle, and where `recrashed`, also lost its power while it was being opened. */
  note(kind: string, fingerprint: number, recrashed: boolean): void {
    this.byKind[kind] = (this.byKind[kind] ?? 0) + 1;
    this.#states.add(fingerprint);
    if (recrashed) this.#recrashed.add(fingerprint);
  }

  fail(kind: string, where: string, error: unknown): void {
    if (this.isFull) return;
    const { breach, what } = failureOf(error);
    this.#failures.push({ breach, what: `${kind}, ${where}: ${what}` });
  }

  tally(): Tally {
    return {
      counts: { crashStates: this.#states.size, recrashed: this.#recrashed.size },
      failures: this.#failures,
      stateHashes: [...this.#states],
    };
  }
}
