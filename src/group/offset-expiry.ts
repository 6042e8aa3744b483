/** When a committed offset has been forgotten long enough to go. Pure: it looks at facts and answers yes or no. */
import type { GroupState } from "../api/group.ts";
import type { StoredOffset } from "./schemas/offset-commit-value.ts";

/** Kafka's `offsets.retention.minutes`. */
export const OFFSETS_RETENTION_MS: number = 7 * 24 * 3600 * 1000;

export interface ExpiryFacts {
  readonly state: GroupState;
  /** "" for a group that has never had members: only its commits make it. */
  readonly protocolType: string;
  /** When the group came into its state; -1: not known. */
  readonly stateTimestamp: number;
  /** null: nobody can tell. */
  readonly subscribedTopics: ReadonlySet<string> | null;
}

/**
 * Kafka's rules. A group without members loses its offsets a retention after the last one left; one that only ever commits, a
 * retention after each commit; one with members, those of topics they no longer subscribe to. A rebalancing group loses none.
 */
export function isExpired(offset: StoredOffset, topic: string, group: ExpiryFacts, nowMs: number, retentionMs: number): boolean {
  const sinceMs = agesFrom(offset, topic, group);
  if (sinceMs === null) return false;
  return offset.expireTimestamp >= 0 ? nowMs >= offset.expireTimestamp : nowMs - sinceMs >= retentionMs;
}

/** null: it does not age. */
function agesFrom(
  offset: StoredOffset,
  topic: string,
  { state, protocolType, stateTimestamp, subscribedTopics }: ExpiryFacts,
): number | null {
  if (state === "Empty" && protocolType !== "") return stateTimestamp >= 0 ? stateTimestamp : offset.commitTimestamp;
  if (state === "Empty") return offset.commitTimestamp;
  if (state === "Stable" && subscribedTopics !== null && !subscribedTopics.has(topic)) return offset.commitTimestamp;
  return null;
}
