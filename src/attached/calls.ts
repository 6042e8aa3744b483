/** The calls that go over a channel, and what becomes of each when its owner goes before it has answered. */
import type { LogKeeper } from "../api/broker.ts";

/**
 * "again": asked of the next owner, who answers as if it had never been asked. "doubt": nobody can say whether it happened, and its
 * caller is told so. "transaction": part of one that the next owner's recovery aborts. "numbered": again if it has producer id and sequence.
 */
export type Fate = "again" | "doubt" | "transaction" | "numbered";

export interface CallRule {
  readonly fate: Fate;
  /** The names of its arguments, which say what each may be. */
  readonly takes: readonly string[];
  /** Takes a signal, and may wait for long. */
  readonly waits?: boolean;
}

const REQUEST = ["request"] as const;
const AGAIN: CallRule = { fate: "again", takes: REQUEST };
const WAITS: CallRule = { fate: "again", takes: REQUEST, waits: true };
const TRANSACTION: CallRule = { fate: "transaction", takes: REQUEST };
const ABOUT_TOPIC: CallRule = { fate: "again", takes: ["topic"] };

/** What of a log is no call: it is answered where it is asked, or is about one side alone. */
export type CallName = Exclude<keyof LogKeeper, "atHand" | "liftQuotas" | "close">;

export const CALLS: Readonly<Record<CallName, CallRule>> = {
  produce: { fate: "numbered", takes: REQUEST },
  fetch: WAITS,
  listOffsets: AGAIN,
  metadata: { fate: "again", takes: ["topics"] },
  createTopic: { fate: "doubt", takes: REQUEST },
  deleteTopic: { fate: "doubt", takes: ["topic"] },
  createPartitions: { fate: "doubt", takes: ["topic", "totalCount"] },
  describeConfig: ABOUT_TOPIC,
  alterConfig: { fate: "doubt", takes: ["topic", "config"] },
  deleteRecords: { fate: "again", takes: ["at", "offset"] },
  joinGroup: WAITS,
  syncGroup: WAITS,
  heartbeat: WAITS,
  leaveGroup: AGAIN,
  // Of a member: the next owner does not know it. From outside a group: see `fateOf`.
  offsetCommit: AGAIN,
  offsetFetch: AGAIN,
  listGroups: { fate: "again", takes: [] },
  describeGroup: { fate: "again", takes: ["groupId"] },
  deleteGroup: { fate: "doubt", takes: ["groupId"] },
  deleteOffsets: { fate: "doubt", takes: ["groupId", "partitions"] },
  initProducerId: WAITS,
  addPartitions: TRANSACTION,
  addOffsets: TRANSACTION,
  commitOffsets: TRANSACTION,
  // Asked again it tells how the transaction ended.
  endTransaction: AGAIN,
  alterClientQuotas: { fate: "doubt", takes: ["clientId", "quota"] },
  describeClientQuotas: { fate: "again", takes: [] },
  topicNames: { fate: "again", takes: [] },
  hasTopic: ABOUT_TOPIC,
  describeTopic: ABOUT_TOPIC,
  adoptTopic: { fate: "doubt", takes: ["topic", "options"] },
  reopenPartition: { fate: "doubt", takes: ["at"] },
  backup: { fate: "doubt", takes: ["directory"] },
  maintain: { fate: "again", takes: [], waits: true },
  metrics: { fate: "again", takes: [] },
};

/** undefined for what is no call. */
export function ruleOf(name: unknown): CallRule | undefined {
  return typeof name === "string" && Object.hasOwn(CALLS, name) ? CALLS[name as CallName] : undefined;
}
