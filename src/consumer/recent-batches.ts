/** Batches that were read lately by offset: the next record of the same batch then needs no disk and no walk. */
import type { Broker } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { RecordCursor } from "../base/record-decoder.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { advance, openCursor } from "./batch-view.ts";
import { partitionKey } from "./partition-state.ts";

/** Of all batches kept for one broker; the longest unused goes first. */
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
}

export class RecentBatches {
  /** Longest unused first. */
  readonly #batches: Map<string, RecentBatch[]> = new Map();
  #keptBytes = 0;

  /** Bounded by the batches kept: a partition without any is not in it. */
  has(partition: TopicPartition): boolean {
    return this.#batches.has(partitionKey(partition));
  }

  /** A cursor on the record; null: not kept. `topicId` tells a topic from one of the same name that was deleted. */
  find(partition: TopicPartition, topicId: string, offset: number): { readonly cursor: RecordCursor; readonly slice: BatchSlice } | null {
    const key = partitionKey(partition);
    const batches = this.#batches.get(key);
    const found = batches?.findLast(({ slice }) => slice.baseOffset <= offset && offset <= slice.lastOffset);
    if (batches === undefined || found === undefined) return null;
    if (found.topicId !== topicId) {
      this.#forget(key);
      return null;
    }
    if (batches.at(-1) !== found) batches.push(...batches.splice(batches.indexOf(found), 1));
    const cursor = cursorAt(found, offset);
    return cursor === null ? null : { cursor, slice: found.slice };
  }

  keep(topicId: string, slice: BatchSlice): void {
    if (slice.recordCount < RECORD_COUNT_MIN || slice.byteLength > BATCH_BYTES_MAX) return;
    const key = partitionKey(slice.state);
    const batches = this.#batches.get(key) ?? [];
    if (batches.some((each) => each.slice.baseOffset === slice.baseOffset)) return;
    this.#batches.set(key, batches);
    batches.push({ topicId, slice, starts: null });
    this.#keptBytes += slice.bytes.byteLength;
    while (this.#keptBytes > KEPT_BYTES_MAX) this.#dropOne();
  }

  #dropOne(): void {
    for (const [key, batches] of this.#batches) {
      this.#keptBytes -= batches.shift()?.slice.bytes.byteLength ?? 0;
      // The partition goes behind the others, so that all give in turn.
      this.#batches.delete(key);
      if (batches.length > 0) this.#batches.set(key, batches);
      return;
    }
  }

  #forget(key: string): void {
    for (const { slice } of this.#batches.get(key) ?? []) this.#keptBytes -= slice.bytes.byteLength;
    this.#batches.delete(key);
  }
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

const RECENT = new WeakMap<Broker, RecentBatches>();

export function recentBatchesOf(broker: Broker): RecentBatches {
  let recent = RECENT.get(broker);
  if (recent === undefined) {
    recent = new RecentBatches();
    RECENT.set(broker, recent);
  }
  return recent;
}
