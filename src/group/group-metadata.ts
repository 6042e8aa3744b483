/** What is kept of a group across a restart: Kafka's GroupMetadata, in our words. */
import type { Bytes } from "../api/bytes.ts";

export interface GroupMetadata {
  readonly protocolType: string;
  readonly generation: number;
  readonly protocolName: string | null;
  readonly leader: string | null;
  /** When the group came into this state, ms since 1970; -1 in records too old to say. An empty group's offsets age from here. */
  readonly stateTimestamp: number;
  readonly members: readonly GroupMetadataMember[];
}

export interface GroupMetadataMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  /** -1: the member was in the process that wrote this, and ended with it. */
  readonly sessionTimeoutMs: number;
  readonly subscription: Bytes;
  readonly assignment: Bytes;
}
