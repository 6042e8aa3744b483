/** A consumer's side of a transaction: how far it has come, what counts as committed, and the way back. */
import type { NextOffset } from "../api/bytes.ts";
import type { Delivered } from "../api/consumer.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { OffsetClaim, TransactionLink } from "../base/transaction-link.ts";
import type { Assignment } from "./assignment.ts";
import { commitRequest } from "./commit-request.ts";
import { type CommitIdentity, type Committer, noGroup, offsetsOf } from "./committer.ts";

const CALL = "tx.commitOffsets()";

export class TransactionOffsets implements TransactionLink {
  readonly #assignment: Assignment;
  readonly #committer: Committer;
  readonly #settings: { readonly groupId: string | null; readonly enableAutoCommit: boolean };
  readonly #member: () => CommitIdentity;
  readonly #onMoved: () => void;

  /** `member`: who the consumer is in its group now, or throws. `onMoved`: what is read, and from where, has changed. */
  constructor(
    assignment: Assignment,
    committer: Committer,
    settings: { readonly groupId: string | null; readonly enableAutoCommit: boolean },
    member: () => CommitIdentity,
    onMoved: () => void,
  ) {
    this.#assignment = assignment;
    this.#committer = committer;
    this.#settings = settings;
    this.#member = member;
    this.#onMoved = onMoved;
  }

  claim(upTo?: Delivered): OffsetClaim {
    const { groupId, enableAutoCommit } = this.#settings;
    if (groupId === null) throw noGroup(CALL);
    if (enableAutoCommit) {
      throw new UsageError(
        "INVALID_REQUEST",
        `${CALL}: expected a consumer with enableAutoCommit: false, found one that commits by itself: what a transaction aborts it may have committed`,
      );
    }
    return { member: this.#member(), offsets: upTo === undefined ? this.#delivered() : this.#upTo(upTo) };
  }

  committed(offsets: readonly NextOffset[]): void {
    this.#committer.learn(offsets);
  }

  rewind(inDoubt: readonly NextOffset[] = []): void {
    this.#assignment.rewind(inDoubt);
    this.#onMoved();
  }

  #delivered(): readonly NextOffset[] {
    return offsetsOf(this.#assignment.states, (state) => state.position);
  }

  #upTo(upTo: Delivered): readonly NextOffset[] {
    if (Array.isArray(upTo)) {
      throw new UsageError("INVALID_ARGUMENT", `${CALL}: upTo: expected a record or a batch, found ${describeValue(upTo)}`);
    }
    const { offsets } = commitRequest(upTo);
    for (const each of offsets) this.#committer.requireAssigned(each);
    return offsets;
  }
}
