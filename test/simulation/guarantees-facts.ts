/** What a simulated program knows of its records, transactions and producers: plain data. */
import type { ProducerIdentity } from "../../src/api/broker.ts";
import type { SentRecord } from "./guarantees-rig.ts";

/** How far an acknowledgement reaches: "process" outlives a death of the process, "power" a loss of power too. */
export type Reach = "none" | "process" | "power";

export interface KeptRecord extends SentRecord {
  readonly transaction: number | null;
  /** Null: its sender was not told. */
  offset: number | null;
  reach: Reach;
  /** How many passes of compaction may have ended when it was sent. */
  readonly passesBefore: number;
  /** Found to have been compacted away. */
  isGone: boolean;
}

export interface KeptPartition {
  /** Everything that was ever handed over for this partition and is not known to be lost, by id. */
  readonly sent: Map<number, KeptRecord>;
  promisedEnd: number;
  durableEnd: number;
  deletedBefore: number;
  deletionAsked: number;
}

/** "doubt": a commit was asked for, and nobody knows. "expired": perhaps aborted by its timeout. */
export type TransactionState = "open" | "doubt" | "committed" | "aborted";

export interface KeptTransaction {
  readonly id: number;
  readonly client: string;
  state: TransactionState;
  /** How long it may have been open, on any clock; past the timeout the broker may have aborted it. */
  ageMs: number;
  /** What its group reads next when it has committed. */
  readonly offsets: Map<string, number>;
}

/** A batch of an idempotent client that can be sent again under the same sequence. */
export interface SequencedBatch {
  readonly sequence: number;
  readonly records: readonly SentRecord[];
  /** Null: not acknowledged. */
  baseOffset: number | null;
  /** Whether the broker was opened anew since: it then remembers the newest batch alone. */
  isOld: boolean;
}

/** A producer as its own process sees it. */
export interface Client {
  readonly name: string;
  readonly transactionalId: string | null;
  identity: ProducerIdentity | null;
  /** Of a life that is over, or fenced since. */
  former: ProducerIdentity | null;
  transaction: number | null;
  /** By "topic/partition": what it sent there in this epoch, the newest last, five at most. */
  readonly batches: Map<string, SequencedBatch[]>;
}

/** A stretch of the wall clock in which passes of compaction and retention may have looked at it. */
export interface PassMoment {
  fromMs: number;
  toMs: number;
}

/** In what state of the broker it is looked at. */
export type Moment = "just opened" | "quiet";

export function newPartition(): KeptPartition {
  return { sent: new Map(), promisedEnd: 0, durableEnd: 0, deletedBefore: 0, deletionAsked: 0 };
}

export function newClient(name: string): Client {
  return {
    name,
    transactionalId: name.startsWith("t") ? name : null,
    identity: null,
    former: null,
    transaction: null,
    batches: new Map(),
  };
}
