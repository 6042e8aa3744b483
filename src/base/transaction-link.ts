/**
 * What a transaction asks of a consumer whose offsets it commits: producer and consumer do not know each other, and meet here.
 */
import type { MemberIdentity } from "../api/broker.ts";
import type { NextOffset } from "../api/bytes.ts";
import type { Delivered } from "../api/consumer.ts";

/** Every consumer has it, under this name that no program can come upon. */
export const TRANSACTION_LINK: unique symbol = Symbol("odradek.transaction-link");

/** How far a consumer had come, and as which member of its group, at one moment: the group refuses it once the member has changed. */
export interface OffsetClaim {
  readonly member: MemberIdentity & { readonly generation: number };
  readonly offsets: readonly NextOffset[];
}

export interface TransactionLink {
  /**
   * Everything delivered so far, the record or batch in hand included; with `upTo`, that one's partition alone, up to it. Throws a
   * `UsageError` for a consumer without a groupId or one that commits by itself, a `GroupError` for one that its group has put out.
   */
  claim(upTo?: Delivered): OffsetClaim;
  /** After a commit: these offsets count as committed, so that neither commit nor close says less. */
  committed(offsets: readonly NextOffset[]): void;
  /**
   * After an abort: every assigned partition goes back to its last seek or reset since its last commit, else to what its group has
   * committed. What is being read goes on there. `inDoubt`: offsets that may have been committed all the same; the group tells.
   */
  rewind(inDoubt?: readonly NextOffset[]): void;
}

/** null: not a consumer of this library. */
export function transactionLinkOf(consumer: unknown): TransactionLink | null {
  if (typeof consumer !== "object" || consumer === null) return null;
  return (consumer as { readonly [TRANSACTION_LINK]?: TransactionLink })[TRANSACTION_LINK] ?? null;
}
