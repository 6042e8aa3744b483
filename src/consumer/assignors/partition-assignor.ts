/** Deciding which member reads which partition: what an assignor is. Pure; run by the group's leader alone. */
import type { Bytes, TopicPartition } from "../../api/bytes.ts";
import type { Subscription } from "./subscription-bytes.ts";

export interface PartitionAssignor {
  /** Kafka's name, by which a group votes. */
  readonly name: string;
  /**
   * eager: a member gives up everything before it joins. cooperative: it keeps what it has while it joins, tells it as
   * `ownedPartitions`, and joins again after revoking what an assignment took from it.
   */
  readonly protocol: "eager" | "cooperative";
  /** What a member adds to its subscription: `lastAssigned` is its last assignment (empty before the first), of `generation`. */
  subscriptionUserData(lastAssigned: readonly TopicPartition[], generation: number): Bytes | null;
  /**
   * Every member is in the answer, if need be with nothing. Each partition of a subscribed topic goes to exactly one member
   * (cooperative: at most one, as what another still owns is withheld until the next rebalance). A topic without a count
   * does not exist and is left out.
   */
  assign(
    partitionCounts: ReadonlyMap<string, number>,
    members: ReadonlyMap<string, Subscription>,
  ): ReadonlyMap<string, readonly TopicPartition[]>;
}
