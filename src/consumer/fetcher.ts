/** Brings batches from the broker: one fetch for all partitions at a time, and at most one ahead of what is being read. */
import type { FetchedPartition, IsolationLevel } from "../api/broker.ts";
import type { Compression } from "../compression/compression.ts";
import type { Assignment } from "./assignment.ts";
import type { BatchSlice } from "./batch-slice.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { FetchedRun } from "./fetched-run.ts";
import type { PartitionState } from "./partition-state.ts";

/** How long the broker holds a fetch that has nothing to answer. */
const FETCH_WAIT_MS = 30_000;

/**
 * What is asked of a broker in this process at a time, whatever `fetchMaxBytes` allows: there is no round trip to save, and pieces of
 * 1 MiB outlive the young generation of V8, whose collector then lets 50 of them stand (86 MiB after a scan, 28 with these), and are read
 * into memory that no cache holds.
 */
const NEAR_FETCH_BYTES_MAX = 384 * 1024;

/** Whether a partition is read to its end for now, once everything below `offset` is. */
export type Finished = (state: PartitionState, offset: number) => boolean;

export interface FetcherOptions {
  readonly fetchMaxBytes: number;
  readonly isolationLevel: IsolationLevel;
  readonly clientId: string;
}

interface Request {
  readonly state: PartitionState;
  readonly epoch: number;
  readonly offset: number;
}

export class Fetcher {
  readonly #broker: ConsumerBroker;
  readonly #options: FetcherOptions;
  readonly #maxBytes: number;
  readonly #compression: Compression;
  readonly #assignment: Assignment;
  /** Called when a fetch has settled. */
  readonly #onSettled: () => void;
  /** Read from the front. Bounded: a fetch is begun only while at most one run is left. */
  #runs: FetchedRun[] = [];
  #error: unknown = null;
  /** Ends a fetch that waits; used again until it has ended one. */
  #interrupted = new AbortController();
  #inFlight = false;
  /** Least recently served first, so that a busy partition does not starve the others. */
  #order: PartitionState[] = [];
  #ordered: readonly PartitionState[] = [];
  #hasBrought = false;

  constructor(broker: ConsumerBroker, compression: Compression, options: FetcherOptions, assignment: Assignment, onSettled: () => void) {
    this.#broker = broker;
    this.#compression = compression;
    this.#options = options;
    this.#maxBytes = broker.atHand === undefined ? options.fetchMaxBytes : Math.min(options.fetchMaxBytes, NEAR_FETCH_BYTES_MAX);
    this.#assignment = assignment;
    this.#onSettled = onSettled;
  }

  /**
   * The next batch to deliver, if it is here already; or the run whose `error` a fetch answered in its place. Throws what
   * made a whole fetch fail, once everything fetched before was taken. What failed is fetched anew next time.
   */
  take(finished: Finished): BatchSlice | FetchedRun | null {
    for (let index = 0; index < this.#runs.length; ) {
      const run = this.#runs[index] as FetchedRun;
      if (!run.isStale && finished(run.state, run.state.position as number)) {
        index += 1;
        continue;
      }
      if (!run.isStale) {
        const found = run.error === null ? this.#next(run) : run;
        if (found === run) {
          this.#runs.splice(index, 1);
          run.state.drop();
          return run;
        }
        if (found !== null) {
          // Not before the first batch of a run is read, so that nobody waits for two fetches to get one record.
          if (run.isUnderWay) this.#fetchAhead(finished);
          return found;
        }
      }
      this.#runs.splice(index, 1);
    }
    if (this.#error !== null) {
      const error = this.#error;
      this.#error = null;
      throw error;
    }
    return null;
  }

  /** Begins a fetch that waits for records, unless one is under way. False: there is no partition to fetch from. */
  begin(finished: Finished, waits: boolean): boolean {
    if (this.#inFlight) return true;
    const requests = this.#requests(finished);
    if (requests.length > 0) this.#fetch(requests, waits ? FETCH_WAIT_MS : 0);
    return requests.length > 0;
  }

  /** Whether the last fetch brought something, if nothing to deliver, and more is known to be there. */
  isGettingOn(finished: Finished): boolean {
    return this.#hasBrought && this.#requests(finished).some(({ state, offset }) => offset < state.readableEnd);
  }

  get isFetching(): boolean {
    return this.#inFlight;
  }

  /** What is fetched from has changed: a fetch that waits for the old partitions or offsets is ended. */
  interrupt(): void {
    if (!this.#inFlight) return;
    this.#interrupted.abort();
    this.#interrupted = new AbortController();
  }

  close(): void {
    this.interrupt();
    this.#runs = [];
  }

  #next(run: FetchedRun): BatchSlice | null {
    try {
      return run.next();
    } catch (error) {
      // To be met again, it must be fetched again: the run is behind it by now.
      this.#runs.splice(this.#runs.indexOf(run), 1);
      run.state.drop();
      throw error;
    }
  }

  #requests(finished: Finished): Request[] {
    if (this.#ordered !== this.#assignment.states) {
      this.#ordered = this.#assignment.states;
      this.#order = [...this.#ordered];
    }
    const buffered = new Set(this.#runs.map((run) => (run.error !== null && !run.isStale ? run.state : null)));
    const requests: Request[] = [];
    for (const state of this.#order) {
      if (state.paused || state.position === null || finished(state, state.fetchOffset) || buffered.has(state)) continue;
      requests.push({ state, epoch: state.epoch, offset: state.fetchOffset });
    }
    return requests;
  }

  /** Only where there is known to be more: a reader at the end of its partitions is not followed by empty fetches. */
  #fetchAhead(finished: Finished): void {
    if (this.#inFlight || this.#runs.length > 1) return;
    const requests = this.#requests(finished);
    if (requests.some(({ state, offset }) => offset < state.readableEnd)) this.#fetch(requests, 0);
  }

  #fetch(requests: readonly Request[], maxWaitMs: number): void {
    const { isolationLevel, clientId } = this.#options;
    const maxBytes = this.#maxBytes;
    const signal = maxWaitMs > 0 ? this.#interrupted.signal : undefined;
    this.#inFlight = true;
    this.#broker
      .fetch(
        {
          partitions: requests.map(({ state: { topic, partition }, offset }) => ({ topic, partition, offset, maxBytes })),
          minBytes: 1,
          maxWaitMs,
          maxBytes,
          isolation: isolationLevel,
          clientId,
        },
        signal,
      )
      .then(
        ({ partitions }) => {
          this.#settled();
          this.#receive(requests, partitions);
        },
        (error: unknown) => {
          this.#settled();
          if (signal?.aborted !== true) this.#error = error;
        },
      );
  }

  /** Whoever is woken by this looks in a later microtask: what is received in this one is there by then. */
  #settled(): void {
    this.#inFlight = false;
    this.#onSettled();
  }

  #receive(requests: readonly Request[], answers: readonly FetchedPartition[]): void {
    const { isolationLevel } = this.#options;
    const served = new Set<PartitionState>();
    for (const [index, answer] of answers.entries()) {
      const isAnswered = ({ state }: Request): boolean => state.partition === answer.partition && state.topic === answer.topic;
      // Brokers answer in the order asked; nothing but speed depends on it.
      const inOrder = requests[index];
      const request = inOrder !== undefined && isAnswered(inOrder) ? inOrder : requests.find(isAnswered);
      // What was sought elsewhere, paused or taken away in the meantime is let go.
      if (request === undefined || request.epoch !== request.state.epoch || request.offset !== request.state.fetchOffset) continue;
      const { state } = request;
      if (answer.fault === null) {
        const { lastStableOffset, highWatermark } = answer.watermarks;
        state.readableEnd = isolationLevel === "readCommitted" ? lastStableOffset : highWatermark;
      }
      const run = new FetchedRun(state, answer, {
        fetchOffset: request.offset,
        readCommitted: isolationLevel === "readCommitted",
        compression: this.#compression,
      });
      if (run.isEmpty) continue;
      state.fetchOffset = run.endOffset;
      this.#runs.push(run);
      served.add(state);
    }
    this.#hasBrought = served.size > 0;
    if (served.size > 0 && this.#order.length > 1) {
      this.#order = [...this.#order.filter((state) => !served.has(state)), ...served];
    }
  }
}
