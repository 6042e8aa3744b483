/** The facts of an open log as `odradek.state` keeps them. */

import type { PartitionStateFacts } from "../state/partition-state.ts";
import type { LogPosition, OpenedLog } from "./opened-log.ts";

export function durableFacts(log: OpenedLog, durable: LogPosition, highWatermark: number): PartitionStateFacts {
  return {
    recoveryPoint: log.recoveryPoint,
    logStartOffset: log.logStartOffset,
    highWatermark,
    durableSegmentBase: durable.segment.baseOffset,
    durableEndPosition: durable.position,
    durableEndOffset: durable.offset,
    cleanlyClosed: false,
    activeSegment: null,
    withoutProducers: log.withoutProducers,
    txnIndex: log.txnIndex,
    writtenAs: log.writtenAs,
  };
}
