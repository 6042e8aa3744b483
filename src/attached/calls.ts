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
  /** What a program did that was asked of the owner by this call; absent: it made a call of this name. */
  readonly says?: string;
  /** Takes a signal, and may wait for long. */
  readonly waits?: boolean;
}

const REQUEST = ["request"] as const;
const TRANSACTION: CallRule = { fate: "transaction", takes: REQUEST, says: "transaction" };
const READING: CallRule = { fate: "again", takes: REQUEST, says: "reading" };
const MEMBERSHIP: CallRule = { fate: "again", takes: REQUEST, says: "membership of a group" };
const ABOUT_TOPIC: CallRule = { fate: "again", takes: ["topic"] };
const LOOKING_UP = "looking a topic up";

/** What of a log is no call: it is answered where it is asked, or is about one side alone. */
export type CallName = Exclude<keyof LogKeeper, "atHand" | "liftQuotas" | "close">;

export const CALLS: Readonly<Record<CallName, CallRule>> = {
  produce: { fate: "numbered", takes: REQUEST, says: "send" },
  fetch: { ...READING, waits: true },
  listOffsets: READING,
  metadata: { fate: "again", takes: ["topics"], says: LOOKING_UP },
  createTopic: { fate: "doubt", takes: REQUEST },
  deleteTopic: { fate: "doubt", takes: ["topic"] },
  createPartitions: { fate: "doubt", takes: ["topic", "totalCount"] },
  describeConfig: { ...ABOUT_TOPIC, says: LOOKING_UP },
  alterConfig: { fate: "doubt", takes: ["topic", "config"], says: "alterTopic" },
  deleteRecords: { fate: "again", takes: ["at", "offset"] },
  joinGroup: { ...MEMBERSHIP, waits: true },
  syncGroup: { ...MEMBERSHIP, waits: true },
  heartbeat: { ...MEMBERSHIP, waits: true },
  leaveGroup: MEMBERSHIP,
  // Of a member: the next owner does not know it. From outside a group: see `fateOf`.
  offsetCommit: { fate: "again", takes: REQUEST, says: "commit" },
  offsetFetch: { fate: "again", takes: REQUEST, says: "reading committed offsets" },
  listGroups: { fate: "again", takes: [] },
  describeGroup: { fate: "again", takes: ["groupId"] },
  deleteGroup: { fate: "doubt", takes: ["groupId"] },
  deleteOffsets: { fate: "doubt", takes: ["groupId", "partitions"], says: "deleting committed offsets" },
  initProducerId: { fate: "again", takes: REQUEST, waits: true, says: "send" },
  addPartitions: TRANSACTION,
  addOffsets: TRANSACTION,
  commitOffsets: TRANSACTION,
  // Asked again it tells how the transaction ended.
  endTransaction: { ...TRANSACTION, fate: "again" },
  alterClientQuotas: { fate: "doubt", takes: ["clientId", "quota"] },
  describeClientQuotas: { fate: "again", takes: [] },
  topicNames: { fate: "again", takes: [], says: "listTopics" },
  hasTopic: { ...ABOUT_TOPIC, says: LOOKING_UP },
  describeTopic: ABOUT_TOPIC,
  adoptTopic: { fate: "doubt", takes: ["topic", "options"] },
  reopenPartition: { fate: "doubt", takes: ["at"] },
  backup: { fate: "doubt", takes: ["directory"] },
  maintain: { fate: "again", takes: [], waits: true },
  metrics: { fate: "again", takes: [] },
};

/** The call in the words of the face, for those who never made it by its name. */
export function wordOf(name: CallName): string {
  return CALLS[name].says ?? name;
}

/** undefined for what is no call. */
export function ruleOf(name: unknown): CallRule | undefined {
  return typeof name === "string" && Object.hasOwn(CALLS, name) ? CALLS[name as CallName] : undefined;
}
