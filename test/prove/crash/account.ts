/** What a trial of crashes has seen: disks, each counted once, those of them that were crashed again in recovery, and what broke. */
import { failureOf } from "../failure.ts";
import type { Counts, Failure, Tally } from "../prover.ts";

/** A trial that finds so many broken promises has shown enough. */
const FAILURES_MAX = 3;

export class Account {
  /** By kind of subject: different disks held against the oracle, each under the kind that met it first. */
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
    if (!this.#states.has(fingerprint)) this.byKind[kind] = (this.byKind[kind] ?? 0) + 1;
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
      counts: { crashStates: this.#states.size, recrashed: this.#recrashed.size, ...this.#statesByKind() },
      failures: this.#failures,
      stateHashes: [...this.#states],
    };
  }

  /** Their sum over trials may exceed that of `crashStates`, in which a disk that two trials met counts once. */
  #statesByKind(): Counts {
    const kinds = Object.entries(this.byKind).map(([kind, count]) => [`crashStates: ${kind}`, count] as const);
    const ofEngines = kinds.reduce((sum, [kind, count]) => (kind.startsWith("crashStates: engine") ? sum + count : sum), 0);
    return { ...Object.fromEntries(kinds), engineCrashStates: ofEngines };
  }
}
