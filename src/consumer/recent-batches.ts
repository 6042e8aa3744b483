/** Batches that were read lately by offset: another record of theirs then needs little of the disk, or nothing. */
import type { TopicPartition } from "../api/bytes.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import type { RecentRun } from "./recent-run.ts";

/** Of all batches kept for one broker. */
const KEPT_BYTES_MAX = 8 << 20;
/** One that is bigger would drive out too many others. */
const BATCH_BYTES_MAX = 1 << 20;
/** A batch of one record has no other to give: a bigger one is read again sooner than a few of them drive out all that is kept. */
const LONE_RECORD_BYTES_MAX = 64 << 10;
/** Of all batches whose bytes were given up, and of which it is known where their records begin: of about 500 MiB of log. */
const OUTLINES_BYTES_MAX = 2 << 20;
/** What one takes beside its bytes, near enough: many small ones are not free. */
const RUN_OVERHEAD_BYTES = 512;

export class RecentBatches {
  /** By topic and partition; each partition's in order of base offset. */
  readonly #runs: Map<string, Map<number, RecentRun[]>> = new Map();
  /** With their bytes; the first goes first, unless it is wanted: then it is asked for its place once more. */
  readonly #whole: Queue = new Queue();
  /** Without. */
  readonly #outlined: Queue = new Queue();
  #lastOutlined: RecentRun | null = null;

  /** Bounded by the batches kept: a partition without any is not in it. */
  has({ topic, partition }: TopicPartition): boolean {
    return this.#runs.get(topic)?.has(partition) === true;
  }

  /** What answers for the offset; null: nothing kept. `topicId` tells a topic from one of the same name that was deleted. */
  find({ topic, partition }: TopicPartition, topicId: string, offset: number): RecentRun | null {
    const runs = this.#runs.get(topic)?.get(partition);
    if (runs === undefined) return null;
    const found = runs[indexUpTo(runs, offset)];
    if (found === undefined || offset > found.lastOffset) return null;
    if (found.topicId !== topicId) {
      for (const run of [...runs]) this.#drop(run);
      return null;
    }
    found.isWanted = true;
    if (found.isWhole) return found;
    // Twice in a row: its neighbours may be next, and all of it is worth a read.
    const isAgain = this.#lastOutlined === found;
    this.#lastOutlined = isAgain ? null : found;
    return isAgain ? null : found;
  }

  keep(run: RecentRun): void {
    if (run.heldByteLength > (run.holdsOneRecord ? LONE_RECORD_BYTES_MAX : BATCH_BYTES_MAX)) return;
    const { topic, partition } = run;
    const known = this.#runs.get(topic)?.get(partition);
    const same = known?.[indexUpTo(known, run.baseOffset)];
    if (same?.baseOffset === run.baseOffset) this.#drop(same);
    const ofTopic: Map<number, RecentRun[]> = this.#runs.get(topic) ?? new Map();
    const runs = ofTopic.get(partition) ?? [];
    const before = indexUpTo(runs, run.baseOffset);
    runs[before]?.endBefore(run.baseOffset);
    const next = runs[before + 1];
    if (next !== undefined && next.baseOffset <= run.lastOffset) {
      run.endBefore(next.baseOffset);
      run.trim();
    }
    runs.splice(before + 1, 0, run);
    ofTopic.set(partition, runs);
    this.#runs.set(topic, ofTopic);
    this.#whole.add(run);
    while (this.#whole.heldBytes > KEPT_BYTES_MAX) {
      const first = this.#whole.takeFirst();
      if (first.giveUpBytes()) this.#outlined.add(first);
      else this.#drop(first);
    }
    while (this.#outlined.heldBytes > OUTLINES_BYTES_MAX) this.#drop(this.#outlined.takeFirst());
  }

  #drop(run: RecentRun): void {
    this.#whole.remove(run);
    this.#outlined.remove(run);
    if (this.#lastOutlined === run) this.#lastOutlined = null;
    const ofTopic = this.#runs.get(run.topic) as Map<number, RecentRun[]>;
    const runs = ofTopic.get(run.partition) as RecentRun[];
    runs.splice(indexUpTo(runs, run.baseOffset), 1);
    if (runs.length === 0) ofTopic.delete(run.partition);
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

/** Of the last run that begins at or below `offset`; -1: there is none. */
function indexUpTo(runs: readonly RecentRun[], offset: number): number {
  let low = -1;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((runs[middle] as RecentRun).baseOffset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
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
