/** The producer's identity: asked for when it is first needed, stamped into every batch, and made anew when a batch has failed. */
import type { ProduceResponse, ProducerIdentity } from "../api/broker.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { OdradekError, ProducerStateError, UsageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { BatchOptions } from "../core/core.ts";
import type { BatchGate } from "./batch-gate.ts";
import { type Numbering, sequenceAfter } from "./numbering.ts";
import type { ProducerBroker } from "./producer-broker.ts";
import type { TopicEntry } from "./topic-directory.ts";

/** Kafka's default of `transaction.timeout.ms`: what has been open for longer is aborted by the log. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** An epoch is an int16. */
const EPOCH_MAX = 2 ** 15 - 1;

export interface IdempotenceOptions {
  readonly transactionalId: string | undefined;
  readonly maxBlockMs: number;
  /** Where sequences begin that a log has never seen: for tests of what comes after 2^31-1. */
  readonly firstSequence?: number | undefined;
}

export class Idempotence implements BatchGate {
  readonly #broker: ProducerBroker;
  readonly #clock: Clock;
  readonly #options: IdempotenceOptions;
  #identity: ProducerIdentity | null = null;
  #firstSequence: number;
  /** A batch failed: the transaction under way goes to its end with the identity, and nothing is begun with it again. */
  #isSpent = false;
  #asking: Promise<void> | null = null;
  /** The same object for every batch: the writer reads it and keeps nothing. */
  readonly #stamp: { -readonly [P in keyof BatchOptions]: BatchOptions[P] };

  constructor(broker: ProducerBroker, clock: Clock, options: IdempotenceOptions) {
    this.#broker = broker;
    this.#clock = clock;
    this.#options = options;
    this.#firstSequence = options.firstSequence ?? 0;
    this.#stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: options.transactionalId !== undefined };
  }

  /** Whether something new may be begun with it. */
  get isReady(): boolean {
    return this.#identity !== null && !this.#isSpent;
  }

  get identity(): ProducerIdentity {
    if (this.#identity === null) throw new ProducerStateError("INVALID_TXN_STATE", "expected a producer id, found none yet");
    return this.#identity;
  }

  isOpenFor(): boolean {
    return this.#identity !== null;
  }

  open(): Promise<void> {
    return this.ask();
  }

  /** Has an identity to begin with. Calls at the same time share one question; one that fails is asked again by the next. */
  ask(): Promise<void> {
    if (this.isReady) return Promise.resolve();
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /** What the header of the partition's next batch says. Nothing is taken by this: `follow` takes it. */
  stamp({ numbering }: TopicEntry, partition: number): BatchOptions {
    const { identity } = this;
    this.#stamp.producerId = identity.producerId;
    this.#stamp.producerEpoch = identity.producerEpoch;
    this.#stamp.baseSequence = numbering.baseSequence(identity, partition, this.#firstSequence);
    return this.#stamp;
  }

  /**
   * The batch just stamped was handed over. When it fails, those already handed over behind it in the partition fail too, since the log
   * sees the gap: that keeps the order. Each then rejects with what it waited behind, and what is sent from then on goes under another epoch.
   */
  follow(
    { name, numbering }: TopicEntry,
    partition: number,
    recordCount: number,
    produced: Promise<ProduceResponse>,
  ): Promise<ProduceResponse> {
    const { identity } = this;
    const before = numbering.latest(partition);
    const told = produced.then(undefined, (error: unknown) => {
      if (identity === this.#identity) this.renew();
      if (before === undefined || !isOutOfOrder(error)) throw error;
      return before.then(
        () => Promise.reject(error),
        (first: unknown) => Promise.reject(behind(`${name}-${partition}`, first)),
      );
    });
    numbering.moveOn(partition, sequenceAfter(this.#stamp.baseSequence, recordCount), told);
    return told;
  }

  /** A topic's numbers are not known any more: begun anew at 0 under the same epoch they would be a gap to its log. */
  forget(numbering: Numbering): void {
    if (this.#identity !== null && numbering.isUnder(this.#identity)) this.renew();
  }

  /** The log may hold other sequences than were counted here: all begin anew, under an epoch or an id that it has not seen. */
  renew(): void {
    this.#firstSequence = 0;
    if (this.#options.transactionalId !== undefined) {
      this.#isSpent = true;
      return;
    }
    if (this.#identity === null) return;
    const { producerId, producerEpoch } = this.#identity;
    // The id is this producer's alone, so nobody needs to be asked: as Kafka's client does.
    this.#identity = producerEpoch === EPOCH_MAX ? null : { producerId, producerEpoch: producerEpoch + 1 };
  }

  /** What the broker answered at a transaction's end. Sequences go on under the same identity. */
  goOnWith({ producerId, producerEpoch }: ProducerIdentity): void {
    const { identity } = this;
    if (identity.producerId === producerId && identity.producerEpoch === producerEpoch) return;
    this.#firstSequence = 0;
    this.#identity = { producerId, producerEpoch };
  }

  async #ask(): Promise<void> {
    const { transactionalId, maxBlockMs } = this.#options;
    const controller = new AbortController();
    let timer: Timer | null = null;
    try {
      const late = new Promise<never>((_, reject) => {
        if (maxBlockMs === Number.POSITIVE_INFINITY) return;
        timer = this.#clock.after(
          maxBlockMs,
          () => {
            const error = new UsageError("BUFFER_EXHAUSTED", `expected a producer id within maxBlockMs (${maxBlockMs}); found no answer`);
            controller.abort(error);
            reject(error);
          },
          true,
        );
      });
      const request = { transactionalId: transactionalId ?? null, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
      const { producerId, producerEpoch } = await Promise.race([this.#broker.initProducerId(request, controller.signal), late]);
      this.#identity = { producerId, producerEpoch };
      this.#isSpent = false;
    } finally {
      (timer as Timer | null)?.cancel();
    }
  }
}

function isOutOfOrder(error: unknown): boolean {
  return error instanceof OdradekError && error.code === "OUT_OF_ORDER_SEQUENCE_NUMBER";
}

/** Errors made by `behind`. */
const BEHIND = new WeakSet<ProducerStateError>();

function behind(partition: string, before: unknown): ProducerStateError {
  // The first of them all, however many stand between.
  const first = before instanceof ProducerStateError && BEHIND.has(before) ? before.cause : before;
  const what = reasonOf(first);
  const error = new ProducerStateError(
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    `not appended: the batch before it in ${partition} failed: ${what}`,
    {
      cause: first,
    },
  );
  BEHIND.add(error);
  return error;
}
