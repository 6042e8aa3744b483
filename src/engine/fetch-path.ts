/** The way of records out of the logs: whole batches up to the high watermark, and the wait for more when there are none. */
import type {
  AtHand,
  BatchPart,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  IsolationLevel,
  ListedOffset,
  ListOffsetsRequest,
  MemoryFor,
  Standing,
} from "../api/broker.ts";
import type { Bytes, TopicPartition, Watermarks } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { faultFromError } from "../base/errors.ts";
import { transactionsEnd } from "../log/batch/stable-batches.ts";
import type { AbortedTransaction } from "../log/producers/transaction-index.ts";
import { Progress } from "./progress.ts";
import type { TopicRegistry } from "./topic-registry.ts";

const NO_BYTES: Bytes = new Uint8Array(0);
const NO_TRANSACTIONS: FetchedPartition["abortedTransactions"] = Object.freeze([]);
const NO_WATERMARKS: Watermarks = Object.freeze({ logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 });

/** What a fetch took of the process's time, without its waits: for quotas. */
export interface Spent {
  ms: number;
}

export class FetchPath implements AtHand {
  readonly #topics: TopicRegistry;
  readonly #clock: Clock;
  readonly #closed: AbortSignal;
  /** Part of `metrics()`. */
  bytes = 0;
  fetches = 0;

  constructor(topics: TopicRegistry, clock: Clock, closed: AbortSignal) {
    this.#topics = topics;
    this.#clock = clock;
    this.#closed = closed;
  }

  async fetch(request: FetchRequest, signal?: AbortSignal, spent?: Spent): Promise<FetchResponse> {
    const deadlineMs = this.#clock.monotonic() + request.maxWaitMs;
    const progress = new Progress();
    try {
      for (;;) {
        signal?.throwIfAborted();
        // Before the look, so that nothing that comes between look and wait is missed.
        this.#watch(progress, request);
        const begunMs = spent === undefined ? 0 : this.#clock.monotonic();
        const read = this.#readAll(request, [], request.maxBytes);
        const partitions = read instanceof Promise ? await read : read;
        if (spent !== undefined) spent.ms += this.#clock.monotonic() - begunMs;
        let byteLength = 0;
        let isFaulty = false;
        for (const { batches, fault } of partitions) {
          byteLength += batches.byteLength;
          isFaulty ||= fault !== null;
        }
        const leftMs = byteLength >= request.minBytes || isFaulty ? 0 : deadlineMs - this.#clock.monotonic();
        if (leftMs <= 0 || this.#closed.aborted) {
          this.fetches += 1;
          this.bytes += byteLength;
          return { partitions, throttleTimeMs: 0 };
        }
        await progress.wait(this.#clock, leftMs, [this.#closed, signal]);
      }
    } finally {
      progress.stop();
    }
  }

  /** What is answered where nothing may be read. */
  nothing(request: FetchRequest): FetchedPartition[] {
    return request.partitions.map((wanted) => this.#nothing(wanted));
  }

  async listOffsets(request: ListOffsetsRequest): Promise<readonly ListedOffset[]> {
    return Promise.all(request.partitions.map((at) => this.#listOffset(at, request.isolation)));
  }

  async #listOffset(
    at: TopicPartition & { readonly at: "earliest" | "latest" | number },
    isolation: IsolationLevel,
  ): Promise<ListedOffset> {
    const { topic, partition } = at;
    try {
      const log = this.#topics.log(at);
      const watermarks = log?.watermarks ?? NO_WATERMARKS;
      if (at.at === "earliest" || at.at === "latest") {
        const latest = isolation === "readCommitted" ? watermarks.lastStableOffset : watermarks.highWatermark;
        const offset = at.at === "earliest" ? watermarks.logStartOffset : latest;
        return { topic, partition, fault: null, offset, timestamp: -1, watermarks };
      }
      const before = log === null ? null : await log.offsetForTime(at.at);
      // What this isolation level may not read yet is as good as not there.
      const isHidden = before !== null && isolation === "readCommitted" && before.offset >= watermarks.lastStableOffset;
      const found = isHidden ? null : before;
      return { topic, partition, fault: null, offset: found?.offset ?? null, timestamp: found?.timestamp ?? -1, watermarks };
    } catch (error) {
      return { topic, partition, fault: faultFromError(error), offset: null, timestamp: -1, watermarks: NO_WATERMARKS };
    }
  }

  standing(topic: string, partition: number): Standing | null {
    const open = this.#topics.find(topic);
    const slot = open?.slots[partition];
    if (open === undefined || slot?.state !== "open") return null;
    return { topicId: open.topicId, logStartOffset: slot.log.logStartOffset };
  }

  read(wanted: FetchRequest["partitions"][number], memory?: MemoryFor): FetchedPartition | null {
    const answer = this.#readAtOnce(wanted, wanted.maxBytes, "readCommitted", memory);
    if (answer === null) return null;
    this.fetches += 1;
    this.bytes += answer.batches.byteLength;
    return answer;
  }

  part(wanted: BatchPart, into: Uint8Array): boolean {
    const slot = this.#topics.find(wanted.topic)?.slots[wanted.partition];
    if (slot?.state !== "open") return false;
    try {
      if (!slot.log.readPartSync(wanted, into)) return false;
    } catch {
      return false;
    }
    this.fetches += 1;
    this.bytes += into.length;
    return true;
  }

  /** Goes on behind the partitions answered; waits for nothing where everything is at hand. */
  #readAll(request: FetchRequest, answers: FetchedPartition[], bytesLeft: number): FetchedPartition[] | Promise<FetchedPartition[]> {
    const { partitions, maxBytes, isolation } = request;
    let leftBytes = bytesLeft;
    for (let index = answers.length; index < partitions.length; index += 1) {
      const wanted = partitions[index] as FetchRequest["partitions"][number];
      const budget = Math.min(leftBytes, wanted.maxBytes);
      // The first partition with data gives at least one batch, whatever its size; later ones only what still fits.
      const mayRead = budget > 0 || leftBytes === maxBytes;
      const answer = mayRead ? this.#readAtOnce(wanted, budget, isolation) : this.#nothing(wanted);
      if (answer === null) {
        const left = leftBytes;
        return this.#read(wanted, budget, isolation).then((later) => {
          answers.push(later);
          return this.#readAll(request, answers, left - later.batches.byteLength);
        });
      }
      leftBytes -= answer.batches.byteLength;
      answers.push(answer);
    }
    return answers;
  }

  /** As `#read`, or null where that is not to be told without waiting, or is a fault. */
  #readAtOnce(
    { topic, partition, offset }: TopicPartition & { readonly offset: number },
    maxBytes: number,
    isolation: IsolationLevel,
    memory?: MemoryFor,
  ): FetchedPartition | null {
    const slot = this.#topics.find(topic)?.slots[partition];
    if (slot?.state !== "open") return null;
    const { log } = slot;
    try {
      const batches = log.readSync(offset, maxBytes, isolation, memory);
      if (batches === null) return null;
      const end = isolation === "readCommitted" ? transactionsEnd(batches) : -1;
      const aborted = end < 0 ? [] : log.abortedTransactionsSync(offset, end);
      if (aborted === null) return null;
      return { topic, partition, fault: null, watermarks: log.watermarks, abortedTransactions: byFirstOffset(aborted), batches };
    } catch {
      // Out of range, most likely: `#read` meets it again, and tells it as it should be told.
      return null;
    }
  }

  async #read(
    wanted: TopicPartition & { readonly offset: number },
    maxBytes: number,
    isolation: IsolationLevel,
  ): Promise<FetchedPartition> {
    const { topic, partition, offset } = wanted;
    try {
      const log = this.#topics.log(wanted);
      if (log === null)
        return { topic, partition, fault: null, watermarks: NO_WATERMARKS, abortedTransactions: NO_TRANSACTIONS, batches: NO_BYTES };
      const batches = await log.read(offset, maxBytes, isolation);
      const end = isolation === "readCommitted" ? transactionsEnd(batches) : -1;
      const abortedTransactions = end < 0 ? NO_TRANSACTIONS : byFirstOffset(await log.abortedTransactions(offset, end));
      return { topic, partition, fault: null, watermarks: log.watermarks, abortedTransactions, batches };
    } catch (error) {
      return { ...this.#nothing(wanted), fault: faultFromError(error) };
    }
  }

  #nothing({ topic, partition }: TopicPartition): FetchedPartition {
    let watermarks = NO_WATERMARKS;
    try {
      watermarks = this.#topics.log({ topic, partition })?.watermarks ?? NO_WATERMARKS;
    } catch {
      // A partition that cannot be opened has no watermarks; its fault was told by the read.
    }
    return { topic, partition, fault: null, watermarks, abortedTransactions: NO_TRANSACTIONS, batches: NO_BYTES };
  }

  /** A partition without a record has no log: it may have one by the next look. */
  #watch(progress: Progress, request: FetchRequest): void {
    progress.begin();
    for (const { topic, partition } of request.partitions) {
      const slot = this.#topics.find(topic)?.slots[partition];
      if (slot?.state === "open") progress.watch(slot.log);
    }
  }
}

/** The log knows them in order of their markers. */
function byFirstOffset(aborted: readonly AbortedTransaction[]): FetchedPartition["abortedTransactions"] {
  if (aborted.length === 0) return NO_TRANSACTIONS;
  return aborted
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    .sort((left, right) => left.firstOffset - right.firstOffset);
}
