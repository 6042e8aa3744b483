/**
 * What a transaction asks of a consumer whose offsets it commits: producer and consumer do not know each other, and meet here.
 */
import type { MemberIdentity } from "../api/broker.ts";
import type { NextOffset } from "../api/bytes.ts";
import type { Delivered } from "../api/consumer.ts";

/** Every consumer has it, under this name that no program can come upon. */
export const TRANSACTION_LINK: unique symbol = Symbol("odradek.transaction-link");

export interface TransactionLink {
  /** null: the consumer has no groupId, and nothing can be committed. */
  readonly member: (MemberIdentity & { readonly generation: number }) | null;
  readonly enableAutoCommit: boolean;
  /** Everything delivered so far, the record or batch in hand included, or less when `upTo` says so. */
  delivered(upTo?: Delivered): readonly NextOffset[];
  /** After a commit: these offsets count as committed, so that neither auto-commit nor close says less. */
  committed(offsets: readonly NextOffset[]): void;
  /** After an abort: every assigned partition goes back to what its group has committed, or to where the consumer began with it. */
  rewind(): Promise<void>;
}

/** null: not a consumer of this library. */
export function transactionLinkOf(consumer: unknown): TransactionLink | null {
  if (typeof consumer !== "object" || consumer === null) return null;
  return (consumer as { readonly [TRANSACTION_LINK]?: TransactionLink })[TRANSACTION_LINK] ?? null;
}
