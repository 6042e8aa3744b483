/** What is told of a consumer group, in Kafka's words. */
import type { NextOffset, TopicPartition } from "./bytes.ts";

export type GroupState = "Stable" | "PreparingRebalance" | "CompletingRebalance" | "Empty" | "Dead";

export interface GroupMemberDescription {
  readonly memberId: string;
  readonly clientId: string;
  readonly assignment: readonly TopicPartition[];
}

export interface GroupDescription {
  readonly groupId: string;
  readonly state: GroupState;
  readonly generation: number;
  readonly members: readonly GroupMemberDescription[];
  readonly offsets: readonly (NextOffset & { readonly lag: number })[];
}
