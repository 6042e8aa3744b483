/** What an entry of the zoo is: a bug as some engine had it, the text that plants it in ours, and who must catch it. */

export type CatchingProver = "crash" | "errors" | "bits" | "traces" | "model" | "kills" | "fuzz";

/**
 * A prover, whose trials go on until one of them finds a failure, from `seed` on or from fresh ones; or a file of tests, or those of it
 * that have `name` in theirs, of which at least one must fail.
 */
export type Catcher = { readonly prover: CatchingProver; readonly seed?: number } | { readonly test: string; readonly name?: string };

export interface ZooEntry {
  /** Lower case, words joined by hyphens; of no other entry. */
  readonly name: string;
  /** One or two sentences: who had the bug, what it cost, and its public number where it has one. */
  readonly tale: string;
  /** From the project's root, in src/ or assembly/. */
  readonly file: string;
  /** Stands once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: Catcher;
  /** Processor time in which it must be caught, building and loading included. */
  readonly budgetMs: number;
}
