/** The states of a transactional id, and which may follow which: Kafka's, by Kafka's numbers. */

/** By their number in `__transaction_state`. */
export const TRANSACTION_STATES = [
  "Empty",
  "Ongoing",
  "PrepareCommit",
  "PrepareAbort",
  "CompleteCommit",
  "CompleteAbort",
  "Dead",
  "PrepareEpochFence",
] as const;

export type TransactionState = (typeof TRANSACTION_STATES)[number];

const PREDECESSORS: Readonly<Record<TransactionState, readonly TransactionState[]>> = {
  Empty: ["Empty", "CompleteCommit", "CompleteAbort"],
  Ongoing: ["Ongoing", "Empty", "CompleteCommit", "CompleteAbort"],
  PrepareCommit: ["Ongoing"],
  PrepareAbort: ["Ongoing", "PrepareEpochFence"],
  CompleteCommit: ["PrepareCommit"],
  CompleteAbort: ["PrepareAbort"],
  Dead: ["Empty", "CompleteCommit", "CompleteAbort"],
  PrepareEpochFence: ["Ongoing"],
};

export function mayFollow(from: TransactionState, to: TransactionState): boolean {
  return PREDECESSORS[to].includes(from);
}

/** Nothing of it is open, and nothing of it is still to be written: another may begin, or the id be forgotten. */
export function isIdle(state: TransactionState): boolean {
  return state === "Empty" || state === "CompleteCommit" || state === "CompleteAbort";
}

/** The outcome is decided and its markers are not all written. */
export function isPrepared(state: TransactionState): boolean {
  return state === "PrepareCommit" || state === "PrepareAbort";
}
