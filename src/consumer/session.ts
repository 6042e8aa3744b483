/** One iteration or one poll: what ends it, and how far it reads. */
import type { Assignment } from "./assignment.ts";
import type { Finished } from "./fetcher.ts";
import { type PartitionState, partitionKey } from "./partition-state.ts";
import type { Positions } from "./positions.ts";

const NEVER: Finished = () => false;

export class Session {
  /** As its caller wrote it, for messages. */
  readonly call: string;
  readonly signal: AbortSignal | null;
  /** Only what is there already is asked for: `poll({ timeoutMs: 0 })`. */
  readonly isTry: boolean;
  /** Whether a try has made its one fetch. */
  hasTried = false;
  /** Set from outside: its time is over, or its caller went away. */
  ended = false;
  readonly finished: Finished;
  /** By `topic-partition`; null: it reads on for ever. Bounded by the partitions ever assigned to it. */
  readonly #ends: Map<string, number> | null;

  constructor(call: string, options: { readonly untilEnd?: boolean; readonly signal?: AbortSignal | undefined; readonly isTry?: boolean }) {
    this.call = call;
    this.signal = options.signal ?? null;
    this.isTry = options.isTry ?? false;
    const ends = options.untilEnd === true ? new Map<string, number>() : null;
    this.#ends = ends;
    this.finished = ends === null ? NEVER : (state, offset) => offset >= (ends.get(partitionKey(state)) ?? 0);
  }

  get hasEnds(): boolean {
    return this.#ends !== null;
  }

  /** Whether the end of every assigned partition is known. */
  knowsEnds(assignment: Assignment): boolean {
    return this.#ends === null || without(this.#ends, assignment).length === 0;
  }

  /** Looks up the ends of the partitions that were assigned since the last time: the end is the one at the first assignment. */
  async learnEnds(assignment: Assignment, positions: Positions): Promise<void> {
    const ends = this.#ends;
    if (ends === null) return;
    const found = await positions.ends(without(ends, assignment));
    for (const [key, end] of found) ends.set(key, end);
  }

  /** Whether every assigned partition is read to its end. */
  isFinished(assignment: Assignment): boolean {
    return this.#ends !== null && assignment.states.every((state) => state.position !== null && this.finished(state, state.position));
  }
}

/** The assigned partitions whose end is not among these. */
function without(ends: ReadonlyMap<string, number>, assignment: Assignment): PartitionState[] {
  return assignment.states.filter((state) => !ends.has(partitionKey(state)));
}
