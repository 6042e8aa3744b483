/** A partition on its way to being open: what the steps of its opening share. */
import type { LeaderEpochs } from "../books/leader-epochs.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import type { Segment } from "../segment/segment.ts";
import type { PartitionState, PartitionStateFacts } from "../state/partition-state.ts";

export interface Opening {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  /** Nothing on disk changes. */
  readonly readOnly: boolean;
  readonly epochs: LeaderEpochs;
  readonly state: PartitionState;
  /** What the state says; null: nothing that can be believed. */
  readonly facts: PartitionStateFacts | null;
  /** Ascending; the last one's handles are held once they were found. */
  readonly segments: Segment[];
  /** Those that ended before the log start: no part of the log any more. */
  readonly behind: Segment[];
}

export function tellOfPartition(context: LogContext, spec: PartitionSpec, type: string, fields: Readonly<Record<string, unknown>>): void {
  context.emit(type, { partition: { topic: spec.topic, partition: spec.partition }, ...fields });
}
