/** What opening a partition yields and its writer, reader and retention share: the segments, the books, and what was found. */
import type { TopicConfig } from "../../api/topic.ts";
import type { OdradekError } from "../../base/errors.ts";
import type { LeaderEpochs } from "../books/leader-epochs.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import type { AbortedTransactions } from "../producers/aborted-transactions.ts";
import type { ProducerSnapshots } from "../producers/producer-snapshots.ts";
import type { ProducerTable } from "../producers/producer-table.ts";
import type { Segment } from "../segment/segment.ts";
import type { SegmentList } from "../segment/segment-list.ts";
import type { PartitionState } from "../state/partition-state.ts";
import type { DurableTransactionIndex } from "../state/state-slot.ts";

export interface OpenedLog {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  readonly segments: SegmentList;
  readonly epochs: LeaderEpochs;
  readonly state: PartitionState;
  readonly producers: ProducerTable;
  readonly snapshots: ProducerSnapshots;
  readonly abortedTransactions: AbortedTransactions;
  /** Readers begin here; `deleteRecords` and retention move it up. */
  logStartOffset: number;
  /** Below it nothing needs looking at after a crash. */
  recoveryPoint: number;
  /** No producer was known at the recovery point. */
  withoutProducers: boolean;
  /** What is durable of the transaction index of the segment that holds the recovery point. */
  txnIndex: DurableTransactionIndex | null;
  /** The durability that what is not flushed is written under, and that is durable in the state before the first batch of it. */
  writtenAs: TopicConfig["durability"];
  /** The epoch to begin before the first append; null: the latest goes on. */
  nextEpoch: number | null;
  /** Why nothing may be appended: the end of the log is not certain. Reads go on. */
  readonly endProblem: OdradekError | null;
  /** From this offset on nothing can be read, though there should be something; null: all is there. */
  readonly unreadableFrom: number | null;
}

/** A place in the log: a batch boundary in a segment. */
export interface LogPosition {
  readonly segment: Segment;
  readonly position: number;
  readonly offset: number;
}
