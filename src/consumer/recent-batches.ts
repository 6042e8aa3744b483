/** Batches that were read lately by offset: the next record of the same batch then needs no disk and no walk. */
import type { TopicPartition } from "../api/bytes.ts";
import type { RecordCursor } from "../base/record-decoder.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { advance, openCursor } from "./batch-view.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";

/** Of all batches kept for one broker. */
const KEPT_BYTES_MAX = 8 << 20;
/** One that is bigger would drive out too many others. */
const BATCH_BYTES_MAX = 1 << 20;
/** A shorter one is read as quickly from the log. */
const RECORD_COUNT_MIN = 16;

interface RecentBatch {
  readonly topicId: string;
  readonly slice: BatchSlice;
  /** Where each record begins, by its offset less the base offset; null where offsets are missing. */
  starts: Int32Array | null;
  /** Asked for since it last came to the front of the queue. */
  isWanted: boolean;
}

export class RecentBatches {
  /** By topic and partition; each partition's in order of base offset. */
  readonly #batches: Map<string, Map<number, RecentBatch[]>> = new Map();
  /** All of them; the first goes first, unless it is wanted: then it is asked for its place once more. */
  readonly #queue: Set<RecentBatch> = new Set();
  #keptBytes = 0;

  /** Bounded by the batches kept: a partition without any is not in it. */
  has({ topic, partition }: TopicPartition): boolean {
    return this.#batches.get(topic)?.has(partition) === true;
  }

  /** A cursor on the record; null: not kept. `topicId` tells a topic from one of the same name that was deleted. */
  find(
    { topic, partition }: TopicPartition,
    topicId: string,
    offset: number,
  ): { readonly cursor: RecordCursor; readonly slice: BatchSlice } | null {
    const batches = this.#batches.get(topic)?.get(partition);
    if (batches === undefined) return null;
    const found = batches[indexUpTo(batches, offset)];
    if (found === undefined || offset > found.slice.lastOffset) return null;
    if (found.topicId !== topicId) {
      for (const batch of [...batches]) this.#drop(batch);
      return null;
    }
    found.isWanted = true;
    const cursor = cursorAt(found, offset);
    return cursor === null ? null : { cursor, slice: found.slice };
  }

  keep(topicId: string, slice: BatchSlice): void {
    if (slice.recordCount < RECORD_COUNT_MIN || slice.byteLength > BATCH_BYTES_MAX) return;
    const { topic, partition } = slice.state;
    const ofTopic: Map<number, RecentBatch[]> = this.#batches.get(topic) ?? new Map();
    const batches = ofTopic.get(partition) ?? [];
    const before = indexUpTo(batches, slice.baseOffset);
    if (batches[before]?.slice.baseOffset === slice.baseOffset) return;
    const batch: RecentBatch = { topicId, slice, starts: null, isWanted: false };
    batches.splice(before + 1, 0, batch);
    ofTopic.set(partition, batches);
    this.#batches.set(topic, ofTopic);
    this.#queue.add(batch);
    this.#keptBytes += slice.bytes.byteLength;
    for (const first of this.#queue) {
      if (this.#keptBytes <= KEPT_BYTES_MAX) break;
      if (first.isWanted) {
        first.isWanted = false;
        this.#queue.delete(first);
        this.#queue.add(first);
      } else this.#drop(first);
    }
  }

  #drop(batch: RecentBatch): void {
    const { topic, partition } = batch.slice.state;
    const ofTopic = this.#batches.get(topic);
    const batches = ofTopic?.get(partition);
    this.#queue.delete(batch);
    this.#keptBytes -= batch.slice.bytes.byteLength;
    if (ofTopic === undefined || batches === undefined) return;
    batches.splice(batches.indexOf(batch), 1);
    if (batches.length === 0) ofTopic.delete(partition);
    if (ofTopic.size === 0) this.#batches.delete(topic);
  }
}

/** Of the last batch that begins at or below `offset`; -1: there is none. */
function indexUpTo(batches: readonly RecentBatch[], offset: number): number {
  let low = -1;
  let high = batches.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((batches[middle] as RecentBatch).slice.baseOffset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function cursorAt(batch: RecentBatch, offset: number): RecordCursor | null {
  const { slice } = batch;
  if (slice.recordCount !== slice.lastOffset - slice.baseOffset + 1) return walkTo(slice, offset);
  batch.starts ??= startsOf(slice);
  const cursor = openCursor(slice);
  // The cursor reads on from wherever its last record ended.
  cursor.recordEnd = batch.starts[offset - slice.baseOffset] as number;
  return advance(cursor, slice) ? cursor : null;
}

function startsOf(slice: BatchSlice): Int32Array {
  const starts = new Int32Array(slice.recordCount);
  const cursor = openCursor(slice);
  for (let index = 0; advance(cursor, slice); index++) starts[index] = cursor.start;
  return starts;
}

/** A cursor on the record; null when the batch has none of this offset. */
export function walkTo(slice: BatchSlice, offset: number): RecordCursor | null {
  const cursor = openCursor(slice);
  while (advance(cursor, slice)) {
    if (cursor.offset >= offset) return cursor.offset === offset ? cursor : null;
  }
  return null;
}

const RECENT = new WeakMap<ConsumerBroker, RecentBatches>();

export function recentBatchesOf(broker: ConsumerBroker): RecentBatches {
  let recent = RECENT.get(broker);
  if (recent === undefined) {
    recent = new RecentBatches();
    RECENT.set(broker, recent);
  }
  return recent;
}
