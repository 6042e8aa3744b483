/** How the records of one `sendBatch` are cut into batches: by partition, in order, each as large as its topic allows. */
import { HEADER_BYTE_LENGTH } from "../base/record-batch.ts";
import type { Delivery } from "./delivery.ts";
import type { RecordStage } from "./record-stage.ts";
import type { TopicEntry } from "./topic-directory.ts";

export interface PlannedBatch {
  readonly topic: TopicEntry;
  readonly partition: number;
  /** Places in the call, in order. */
  readonly indices: number[];
  byteLength: number;
}

/** Where each record goes; both by its place in the call. */
export interface Destinations {
  readonly topics: readonly TopicEntry[];
  readonly partitions: readonly number[];
}

/**
 * Batches of one partition stand side by side, partitions in the order of their first record.
 * Throws `MESSAGE_TOO_LARGE` for a record that no batch can hold.
 */
export function planBatches(stage: RecordStage, { topics, partitions }: Destinations, delivery: Delivery): PlannedBatch[] {
  const shares = new Map<TopicEntry, PlannedBatch[][]>();
  const order: PlannedBatch[][] = [];
  for (let index = 0; index < stage.count; index += 1) {
    const topic = topics[index] as TopicEntry;
    const partition = partitions[index] as number;
    let byPartition = shares.get(topic);
    if (byPartition === undefined) {
      byPartition = [];
      shares.set(topic, byPartition);
    }
    let share = byPartition[partition];
    if (share === undefined) {
      share = byPartition[partition] = [];
      order.push(share);
    }
    place(stage, index, share, topic, partition, delivery);
  }
  return order.flat();
}

function place(stage: RecordStage, index: number, share: PlannedBatch[], topic: TopicEntry, partition: number, delivery: Delivery): void {
  const limit = delivery.batchByteLengthMax(topic);
  const last = share.at(-1);
  if (last !== undefined) {
    const base = stage.timestamps[last.indices[0] as number] as number;
    const byteLength = stage.recordByteLength(index, last.indices.length, (stage.timestamps[index] as number) - base);
    if (last.byteLength + byteLength <= limit) {
      last.indices.push(index);
      last.byteLength += byteLength;
      return;
    }
  }
  const byteLength = stage.recordByteLength(index, 0, 0) + HEADER_BYTE_LENGTH;
  if (byteLength > limit) throw delivery.tooLarge(topic, byteLength, `sendBatch(): record ${index}`);
  share.push({ topic, partition, indices: [index], byteLength });
}
