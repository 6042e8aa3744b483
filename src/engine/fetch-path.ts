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
import type { Clock, Timer } from "../base/clock.ts";
import { faultFromError } from "../base/errors.ts";
import { transactionsEnd } from "../log/batch/stable-batches.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import type { AbortedTransaction } from "../log/producers/transaction-index.ts";
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
    for (;;) {
      signal?.throwIfAborted();
      // Subscribed before the look, so that nothing that comes between look and wait is missed.
      const progress = new Progress(this.#logsOf(request));
      try {
        const begunMs = spent === undefined ? 0 : this.#clock.monotonic();
        const partitions = await this.#readAll(request);
        if (spent !== undefined) spent.ms += this.#clock.monotonic() - begunMs;
        const byteLength = partitions.reduce((sum, each) => sum + each.batches.byteLength, 0);
        const leftMs = deadlineMs - this.#clock.monotonic();
        const isOver = leftMs <= 0 || this.#closed.aborted;
        if (byteLength >= request.minBytes || isOver || partitions.some((each) => each.fault !== null)) {
          this.fetches += 1;
          this.bytes += byteLength;
          return { partitions, throttleTimeMs: 0 };
        }
        await progress.wait(this.#clock, leftMs, signal, this.#closed);
      } finally {
        progress.stop();
      }
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

  read({ topic, partition, offset, maxBytes }: FetchRequest["partitions"][number], memory?: MemoryFor): FetchedPartition | null {
    const slot = this.#topics.find(topic)?.slots[partition];
    if (slot?.state !== "open") return null;
    const { log } = slot;
    let batches: Bytes | null;
    let aborted: readonly AbortedTransaction[] | null;
    try {
      batches = log.readSync(offset, maxBytes, "readCommitted", memory);
      const end = batches === null ? -1 : transactionsEnd(batches);
      aborted = end < 0 ? [] : log.abortedTransactionsSync(offset, end);
    } catch {
      // Out of range, most likely: `fetch` meets it again, and tells it as it should be told.
      return null;
    }
    if (batches === null || aborted === null) return null;
    this.fetches += 1;
    this.bytes += batches.byteLength;
    return { topic, partition, fault: null, watermarks: log.watermarks, abortedTransactions: byFirstOffset(aborted), batches };
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

  async #readAll(request: FetchRequest): Promise<FetchedPartition[]> {
    const answers: FetchedPartition[] = [];
    let leftBytes = request.maxBytes;
    for (const wanted of request.partitions) {
      const budget = Math.min(leftBytes, wanted.maxBytes);
      // The first partition with data gives at least one batch, whatever its size; later ones only what still fits.
      const answer =
        budget > 0 || leftBytes === request.maxBytes ? await this.#read(wanted, budget, request.isolation) : this.#nothing(wanted);
      leftBytes -= answer.batches.byteLength;
      answers.push(answer);
    }
    return answers;
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

  #logsOf(request: FetchRequest): PartitionLog[] {
    return request.partitions.flatMap((at) => {
      const slot = this.#topics.find(at.topic)?.slots[at.partition];
      return slot?.state === "open" ? [slot.log] : [];
    });
  }
}

/** The log knows them in order of their markers. */
function byFirstOffset(aborted: readonly AbortedTransaction[]): FetchedPartition["abortedTransactions"] {
  if (aborted.length === 0) return NO_TRANSACTIONS;
  return aborted
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
    .sort((left, right) => left.firstOffset - right.firstOffset);
}

/** Whether any of some logs has moved since this was made. */
class Progress {
  readonly #unsubscribe: (() => void)[];
  #moved = false;
  #wake: (() => void) | null = null;

  constructor(logs: readonly PartitionLog[]) {
    this.#unsubscribe = logs.map((log) =>
      log.onProgress(() => {
        this.#moved = true;
        this.#wake?.();
      }),
    );
  }

  /** Resolves on the first move, after `waitMs`, or when either signal says so. */
  wait(clock: Clock, waitMs: number, signal: AbortSignal | undefined, closed: AbortSignal): Promise<void> {
    if (this.#moved || closed.aborted || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      const wake = (): void => {
        timer?.cancel();
        this.#wake = null;
        signal?.removeEventListener("abort", wake);
        closed.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake = wake;
      signal?.addEventListener("abort", wake);
      closed.addEventListener("abort", wake);
      // A reader that waits keeps the process alive: it was asked for records that may still come.
      timer = clock.after(waitMs, wake, true);
    });
  }

  stop(): void {
    for (const off of this.#unsubscribe) off();
  }
}
