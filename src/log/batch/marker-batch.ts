/** The control batch that ends a transaction in one partition. */
import { markerKey, markerValue } from "../../base/control-record.ts";
import type { Core } from "../../core/core.ts";

export interface TransactionMarker {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Of the transaction coordinator: a marker with a lower one than the last is refused. */
  readonly coordinatorEpoch: number;
  readonly commit: boolean;
}

/** 78 bytes of their own, the sequence -1, as Kafka's. */
export function markerBatch({ writer }: Core, marker: TransactionMarker, timestamp: number): Uint8Array {
  const { producerId, producerEpoch, coordinatorEpoch, commit } = marker;
  writer.begin({ producerId, producerEpoch, baseSequence: -1, transactional: true, control: true });
  writer.append(markerKey(commit), markerValue(coordinatorEpoch), null, timestamp);
  return writer.finish().slice();
}
