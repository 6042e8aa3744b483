/** What is told of a consumer group, in Kafka's words. */
import type { NextOffset, TopicPartition } from "./bytes.ts";

/** Kafka's states of a group. */
export type GroupState = "Stable" | "PreparingRebalance" | "CompletingRebalance" | "Empty" | "Dead";

/** A member and what it reads. */
export interface GroupMemberDescription {
  readonly memberId: string;
  readonly clientId: string;
  readonly assignment: readonly TopicPartition[];
}

/** A group at one moment: its members, and how far it has read. */
export interface GroupDescription {
  readonly groupId: string;
  readonly state: GroupState;
  readonly generation: number;
  readonly members: readonly GroupMemberDescription[];
  readonly offsets: readonly (NextOffset & { readonly lag: number })[];
}
