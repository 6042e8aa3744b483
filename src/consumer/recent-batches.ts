/** Batches that were read lately by offset: another record of theirs then needs little of the disk, or nothing. */
import type { TopicPartition } from "../api/bytes.ts";
import { BatchMemory } from "./batch-memory.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import type { RecentRun } from "./recent-run.ts";

/** Of all batches kept for one broker. */
const KEPT_BYTES_MAX = 8 << 20;
/** One that is bigger would drive out too many others: of that, where its records begin is all that is kept. */
const BATCH_BYTES_MAX = 1 << 20;
/** A batch of one record has no other to give: a bigger one is read again sooner than a few of them drive out all that is kept. */
const LONE_RECORD_BYTES_MAX = 64 << 10;
/** Of all batches whose bytes were given up, and of which it is known where their records begin: of about 500 MiB of log. */
const OUTLINES_BYTES_MAX = 4 << 20;
/** What one takes beside its bytes, near enough: many small ones are not free. */
const RUN_OVERHEAD_BYTES = 512;

export class RecentBatches {
  readonly memory: BatchMemory = new BatchMemory();
  /** By topic and partition. */
  readonly #runs: Map<string, Map<number, RunList>> = new Map();
  /** With their bytes; the first goes first, unless it is wanted: then it is asked for its place once more. */
  readonly #whole: Queue = new Queue();
  /** Without. */
  readonly #outlined: Queue = new Queue();

  /** Bounded by the batches kept: a partition without any is not in it. */
  has({ topic, partition }: TopicPartition): boolean {
    return this.#runs.get(topic)?.has(partition) === true;
  }

  /** What answers for the offset; null: nothing kept. `topicId` tells a topic from one of the same name that was deleted. */
  find({ topic, partition }: TopicPartition, topicId: string, offset: number): RecentRun | null {
    const list = this.#runs.get(topic)?.get(partition);
    if (list === undefined) return null;
    const found = list.runs[list.indexUpTo(offset)];
    if (found === undefined || offset > found.lastOffset) return null;
    if (found.topicId !== topicId) {
      for (const run of [...list.runs]) this.#drop(run);
      return null;
    }
    found.isWanted = true;
    return found;
  }

  keep(run: RecentRun): void {
    if (run.heldByteLength > (run.holdsOneRecord ? LONE_RECORD_BYTES_MAX : BATCH_BYTES_MAX) && !run.giveUpBytes(this.memory)) return;
    const { topic, partition } = run;
    const known = this.#runs.get(topic)?.get(partition);
    const same = known?.runs[known.indexUpTo(run.baseOffset)];
    if (same?.baseOffset === run.baseOffset) this.#drop(same);
    const ofTopic: Map<number, RunList> = this.#runs.get(topic) ?? new Map();
    const list = ofTopic.get(partition) ?? new RunList();
    const before = list.indexUpTo(run.baseOffset);
    list.runs[before]?.endBefore(run.baseOffset);
    const next = list.runs[before + 1];
    if (next !== undefined && next.baseOffset <= run.lastOffset) {
      run.endBefore(next.baseOffset);
      run.trim();
    }
    list.insert(before + 1, run);
    ofTopic.set(partition, list);
    this.#runs.set(topic, ofTopic);
    if (run.isWhole) this.#whole.add(run);
    else this.#outlined.add(run);
    while (this.#whole.heldBytes > KEPT_BYTES_MAX) {
      const first = this.#whole.takeFirst();
      if (first.giveUpBytes(this.memory)) this.#outlined.add(first);
      else this.#drop(first);
    }
    while (this.#outlined.heldBytes > OUTLINES_BYTES_MAX) this.#drop(this.#outlined.takeFirst());
  }

  #drop(run: RecentRun): void {
    this.#whole.remove(run);
    this.#outlined.remove(run);
    const ofTopic = this.#runs.get(run.topic) as Map<number, RunList>;
    const list = ofTopic.get(run.partition) as RunList;
    list.removeAt(list.indexUpTo(run.baseOffset));
    if (list.runs.length === 0) ofTopic.delete(run.partition);
    if (ofTopic.size === 0) this.#runs.delete(run.topic);
  }
}

/** First in, first out, but for those that were wanted meanwhile. */
class Queue {
  readonly #runs: Set<RecentRun> = new Set();
  heldBytes = 0;

  add(run: RecentRun): void {
    this.#runs.add(run);
    this.heldBytes += run.heldByteLength + RUN_OVERHEAD_BYTES;
  }

  remove(run: RecentRun): void {
    if (this.#runs.delete(run)) this.heldBytes -= run.heldByteLength + RUN_OVERHEAD_BYTES;
  }

  /** Of a queue that is not empty. Ends: each is asked for its place once more at most. */
  takeFirst(): RecentRun {
    for (const run of this.#runs) {
      if (!run.isWanted) {
        this.remove(run);
        return run;
      }
      run.isWanted = false;
      this.#runs.delete(run);
      this.#runs.add(run);
    }
    throw new RangeError("the first of a queue that is empty");
  }
}

/** One partition's, in order of base offset. These stand beside the runs: to look for one touches none of the others. */
class RunList {
  readonly runs: RecentRun[] = [];
  readonly #baseOffsets: number[] = [];

  insert(index: number, run: RecentRun): void {
    this.runs.splice(index, 0, run);
    this.#baseOffsets.splice(index, 0, run.baseOffset);
  }

  removeAt(index: number): void {
    this.runs.splice(index, 1);
    this.#baseOffsets.splice(index, 1);
  }

  /** Of the last run that begins at or below `offset`; -1: there is none. */
  indexUpTo(offset: number): number {
    const baseOffsets = this.#baseOffsets;
    let low = -1;
    let high = baseOffsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((baseOffsets[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
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
