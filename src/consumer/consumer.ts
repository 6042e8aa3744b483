/** The consumer as its users hold it: the face, over a reader, a committer and, with a `groupId`, a membership. */
import type { NextOffset, Options, TopicPartition, Watermarks } from "../api/bytes.ts";
import type { Consumer, ConsumerOptions, ConsumerRecord, Delivered, ReadOptions, RebalanceListener, RecordBatch } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import type { Clock, Random } from "../base/clock.ts";
import { GroupError, OdradekError, UsageError } from "../base/errors.ts";
import { booleanOption, checkOptions, choiceOption, describeValue, functionOption, integerOption, signalOption } from "../base/options.ts";
import { TRANSACTION_LINK, type TransactionLink } from "../base/transaction-link.ts";
import { turnOf } from "../base/turn.ts";
import type { Compression } from "../compression/compression.ts";
import { Assignment, checkPartition } from "./assignment.ts";
import { BatchIterator } from "./batch-iterator.ts";
import { commitRequest } from "./commit-request.ts";
import { type CommitIdentity, type CommitRole, Committer, noGroup } from "./committer.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { type ConsumerSettings, consumerSettings } from "./consumer-options.ts";
import { DeserializePolicy } from "./deserialize-policy.ts";
import { Fetcher } from "./fetcher.ts";
import { Hand } from "./hand.ts";
import { Membership } from "./membership.ts";
import { PlainDecoder } from "./plain-record.ts";
import { poll } from "./poller.ts";
import { type Emit, Positions } from "./positions.ts";
import { Reader } from "./reader.ts";
import { Rebalancer } from "./rebalancer.ts";
import { type IteratorParts, RecordIterator } from "./record-iterator.ts";
import { Session } from "./session.ts";
import { checkAssigned } from "./standing-partitions.ts";
import { Subscription } from "./subscription.ts";
import { TransactionOffsets } from "./transaction-offsets.ts";
import { Wakeup } from "./wakeup.ts";

export interface ConsumerWiring {
  readonly broker: ConsumerBroker;
  /** Opens compressed batches. */
  readonly compression: Compression;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: Emit;
  readonly defaultKey: Deserializer<unknown>;
  readonly defaultValue: Deserializer<unknown>;
  /** Called once, when the consumer has closed. */
  readonly onClose: (consumer: Consumer<unknown, unknown>) => void;
}

/** `poll()` without a time: long enough for a group to hand out its partitions. */
const POLL_TIMEOUT_MS = 1000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** Throws a `UsageError`: UNKNOWN_CONFIG, INVALID_ARGUMENT, or NO_GROUP for `enableAutoCommit` without a `groupId`. */
export function createConsumer<K, V>(wiring: ConsumerWiring, options: Options<ConsumerOptions<K, V>> | undefined): Consumer<K, V> {
  const settings = consumerSettings<K, V>(options, {
    key: wiring.defaultKey as Deserializer<K>,
    value: wiring.defaultValue as Deserializer<V>,
  });
  return new LogConsumer(wiring, settings);
}

class LogConsumer<K, V> implements Consumer<K, V>, CommitRole {
  readonly #wiring: ConsumerWiring;
  readonly #settings: ConsumerSettings<K, V>;
  readonly #assignment: Assignment = new Assignment();
  readonly #hand: Hand = new Hand();
  readonly #positions: Positions;
  readonly #fetcher: Fetcher;
  readonly #reader: Reader;
  readonly #committer: Committer;
  readonly #rebalancer: Rebalancer;
  readonly #parts: IteratorParts<K, V>;
  readonly [TRANSACTION_LINK]: TransactionLink;
  /** How it came to its partitions: the two ways do not mix. */
  #mode: "none" | "assign" | "subscribe" = "none";
  #membership: Membership | null = null;
  #isStopping = false;
  #isClosed = false;
  #closing: Promise<void> | null = null;

  constructor(wiring: ConsumerWiring, settings: ConsumerSettings<K, V>) {
    const { broker, compression, clock, emit } = wiring;
    this.#wiring = wiring;
    this.#settings = settings;
    const wakeup = new Wakeup(clock);
    const assignment = this.#assignment;
    const hand = this.#hand;
    this.#positions = new Positions(broker, settings, emit);
    this.#fetcher = new Fetcher(broker, compression, settings, assignment, () => wakeup.wake());
    const consumer = this;
    this.#reader = new Reader({
      assignment,
      fetcher: this.#fetcher,
      positions: this.#positions,
      wakeup,
      hand,
      turn: turnOf(clock),
      ending: {
        get isClosed() {
          return consumer.#closing !== null;
        },
        get isStopping() {
          return consumer.#isStopping;
        },
        close: () => this.close(),
        left: () => this.#closeIfIdle(),
      },
    });
    this.#committer = new Committer({ broker, clock, assignment, hand, role: this, emit });
    this.#rebalancer = new Rebalancer({
      assignment,
      positions: this.#positions,
      fetcher: this.#fetcher,
      reader: this.#reader,
      hand,
      autoCommitter: settings.enableAutoCommit ? this.#committer : null,
      emit,
    });
    this.#parts = {
      reader: this.#reader,
      hand,
      decoder: new PlainDecoder(settings.key, settings.value),
      policy: new DeserializePolicy(settings.onDeserializeError as ConsumerOptions<unknown, unknown>["onDeserializeError"], emit),
      begin: (call) => this.#begin(call),
    };
    this[TRANSACTION_LINK] = new TransactionOffsets(
      assignment,
      this.#committer,
      settings,
      () => this.#member(),
      () => this.#changed(),
    );
    settings.signal?.addEventListener("abort", this.#onStop);
    if (settings.signal?.aborted === true) this.#onStop();
  }

  async subscribe(topics: readonly string[] | RegExp, listener?: RebalanceListener): Promise<void> {
    this.#refuseClosed("subscribe");
    const { groupId, clientId, assignors, maxPollIntervalMs } = this.#settings;
    if (groupId === null) throw noGroup("subscribe");
    this.#refuseMix("subscribe");
    const subscription = new Subscription(topics);
    const checked = checkOptions<NonNullable<RebalanceListener>>(listener, LISTENER, "subscribe: listener");
    await subscription.check(this.#wiring.broker);
    this.#refuseClosed("subscribe");
    this.#refuseMix("subscribe");
    this.#rebalancer.listener = checked;
    if (this.#membership !== null) return this.#membership.subscribe(subscription);
    this.#mode = "subscribe";
    const options = { groupId, clientId, assignors, maxPollIntervalMs };
    const membership = new Membership(this.#wiring.broker, this.#wiring.clock, options, this.#rebalancer, subscription);
    this.#membership = membership;
    this.#reader.group = membership;
    if (this.#settings.enableAutoCommit) this.#committer.start(this.#settings.autoCommitIntervalMs);
    try {
      await membership.register();
    } catch (error) {
      membership.stop();
      this.#membership = null;
      this.#reader.group = null;
      this.#mode = "none";
      throw error;
    }
  }

  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    this.#refuseClosed("assign");
    this.#refuseMix("assign");
    await checkAssigned(this.#wiring.broker, partitions);
    this.#refuseClosed("assign");
    this.#refuseMix("assign");
    this.#mode = "assign";
    const { enableAutoCommit, autoCommitIntervalMs } = this.#settings;
    const gone = this.#assignment.states.filter(
      (state) => !partitions.some((each) => each.topic === state.topic && each.partition === state.partition),
    );
    if (enableAutoCommit && gone.length > 0) await this.#committer.commitMovedPast(gone, true);
    this.#assignment.remove(gone);
    const added = this.#assignment.add(partitions);
    if (enableAutoCommit) this.#committer.start(autoCommitIntervalMs);
    // Now, so that "latest" is the end at this time. What goes wrong is met by whoever asks for records.
    await this.#positions.resolve(added).catch(() => {});
    this.#changed();
  }

  assignment(): readonly TopicPartition[] {
    return this.#assignment.partitions();
  }

  records(options?: ReadOptions): AsyncIterableIterator<ConsumerRecord<K, V>> {
    return new RecordIterator(this.#parts, readSession("records()", options));
  }

  batches(options?: ReadOptions): AsyncIterableIterator<RecordBatch<K, V>> {
    return new BatchIterator(this.#parts, readSession("batches()", options), this.#settings);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord<K, V>> {
    return this.records();
  }

  async poll(options?: Options<{ timeoutMs: number; maxRecords: number; signal: AbortSignal }>): Promise<ConsumerRecord<K, V>[]> {
    const checked = checkOptions<{ timeoutMs: number; maxRecords: number; signal: AbortSignal }>(options, POLL, "poll()");
    return poll(this.#parts, this.#wiring.clock, {
      timeoutMs: checked.timeoutMs ?? POLL_TIMEOUT_MS,
      maxRecords: checked.maxRecords ?? this.#settings.maxPollRecords,
      signal: checked.signal,
    });
  }

  async commit(upTo?: Delivered | readonly NextOffset[], options?: Options<{ durable: boolean }>): Promise<void> {
    // Not refused while closing: a listener may commit what is taken away.
    if (this.#isClosed) this.#refuseClosed("commit");
    if (this.#settings.groupId === null) throw noGroup("commit");
    const { durable = false } = checkOptions<{ durable: boolean }>(options, COMMIT, "commit()");
    await (upTo === undefined ? this.#committer.commitAll(durable) : this.#committer.commit(commitRequest(upTo), durable));
  }

  async committed(partition: TopicPartition): Promise<number | null> {
    this.#refuseClosed("committed");
    const { groupId } = this.#settings;
    if (groupId === null) throw noGroup("committed");
    const { topic, partition: number } = checkPartition(partition, "committed");
    const [found] = await this.#wiring.broker.offsetFetch({ groupId, partitions: [{ topic, partition: number }] });
    return found?.nextOffset ?? null;
  }

  async position(partition: TopicPartition): Promise<number> {
    this.#refuseClosed("position");
    for (;;) {
      const state = this.#assignment.get(partition, "position");
      if (state.position !== null) return state.position;
      await this.#positions.resolve([state]);
    }
  }

  seek(partition: TopicPartition, to: number | "earliest" | "latest"): void {
    this.#refuseClosed("seek");
    const state = this.#assignment.get(partition, "seek");
    if (to !== "earliest" && to !== "latest" && !(Number.isSafeInteger(to) && to >= 0)) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `seek: expected an offset from 0 to 2^53-1, "earliest" or "latest", found ${describeValue(to)}`,
      );
    }
    this.#assignment.moveTo(state, to);
    this.#changed();
  }

  async watermarks(partition: TopicPartition): Promise<Watermarks> {
    this.#refuseClosed("watermarks");
    return (await this.#positions.list(checkPartition(partition, "watermarks"), "latest")).watermarks;
  }

  async offsetForTime(
    partition: TopicPartition,
    timestamp: number,
  ): Promise<{ readonly offset: number; readonly timestamp: number } | null> {
    this.#refuseClosed("offsetForTime");
    checkPartition(partition, "offsetForTime");
    if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
      throw new UsageError("INVALID_ARGUMENT", `offsetForTime: expected milliseconds since 1970, found ${describeValue(timestamp)}`);
    }
    const { offset, timestamp: found } = await this.#positions.list(partition, timestamp);
    return offset === null ? null : { offset, timestamp: found };
  }

  async lag(partition: TopicPartition): Promise<number> {
    const position = await this.position(partition);
    const { offset } = await this.#positions.list(partition, "latest");
    return Math.max(0, (offset as number) - position);
  }

  pause(partitions?: readonly TopicPartition[]): void {
    this.#refuseClosed("pause");
    for (const state of this.#assignment.statesOf(partitions, "pause")) {
      state.paused = true;
      // What was fetched of it ahead is let go, so that it takes no room for as long as it is paused.
      state.drop();
    }
    this.#changed();
  }

  resume(partitions?: readonly TopicPartition[]): void {
    this.#refuseClosed("resume");
    for (const state of this.#assignment.statesOf(partitions, "resume")) state.paused = false;
    this.#changed();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ── CommitRole ─────────────────────────────────────────────────────────────

  async identity(): Promise<CommitIdentity> {
    return this.#membership === null ? this.#member() : this.#membership.identity();
  }

  #member(): CommitIdentity {
    // Not refused while closing: a listener may commit what is taken away.
    if (this.#isClosed) this.#refuseClosed("tx.commitOffsets()");
    if (this.#membership !== null) return this.#membership.present();
    // Whoever has no group was refused before.
    return { groupId: this.#settings.groupId as string, memberId: "", groupInstanceId: null, generation: -1 };
  }

  async whenSynced(): Promise<boolean> {
    return this.#membership === null ? false : this.#membership.whenSynced();
  }

  // ── The end ────────────────────────────────────────────────────────────────

  readonly #onStop = (): void => {
    this.#isStopping = true;
    this.#reader.interrupt();
    this.#closeIfIdle();
  };

  /** The polite stop waits for what is in hand, and for the loop to ask for more. */
  #closeIfIdle(): void {
    if (!this.#isStopping || this.#reader.isBusy || !this.#hand.isEmpty) return;
    this.close().catch((error: unknown) => this.#committer.report(error));
  }

  async #close(): Promise<void> {
    // Begun in the turn of the call: whoever looks sees a consumer that is closing.
    await Promise.resolve();
    this.#settings.signal?.removeEventListener("abort", this.#onStop);
    this.#reader.interrupt();
    this.#fetcher.close();
    this.#committer.stop();
    this.#membership?.stop();
    let failure: unknown = null;
    try {
      // Never the record in hand: it is delivered again, to whoever reads on.
      if (this.#settings.enableAutoCommit) await this.#committer.commitMovedPast(this.#assignment.states, true);
    } catch (error) {
      this.#committer.report(error);
      if (!(error instanceof GroupError || (error instanceof OdradekError && CLOSES_ANYWAY.has(error.code)))) failure = error;
    }
    if (this.#mode === "subscribe") await this.#rebalancer.revokeAll();
    await this.#membership?.leave().catch((error: unknown) => {
      failure ??= error;
    });
    this.#assignment.remove(this.#assignment.states);
    this.#hand.moveOn();
    this.#isClosed = true;
    this.#wiring.onClose(this);
    if (failure !== null) throw failure;
  }

  // ── Small things ───────────────────────────────────────────────────────────

  /** What is fetched, or from where, has changed. */
  #changed(): void {
    this.#fetcher.interrupt();
    this.#reader.interrupt();
  }

  #begin(call: string): void {
    // A consumer that its signal has stopped ends a loop as politely as it ends one under way.
    if (this.#isStopping && call !== "poll()") return;
    this.#refuseClosed(call);
    if (this.#mode === "none") {
      throw new UsageError("INVALID_REQUEST", `${call}: expected subscribe() or assign() before it, found a consumer of no partitions`);
    }
  }

  #refuseClosed(call: string): void {
    if (this.#closing !== null) throw new UsageError("CONSUMER_CLOSED", `${call}: the consumer was closed`);
  }

  #refuseMix(call: "assign" | "subscribe"): void {
    if (this.#mode === "none" || this.#mode === call) return;
    throw new UsageError("INVALID_REQUEST", `${call}: expected a consumer that has not called ${this.#mode}() before; make another one`);
  }
}

/** What keeps the last commit from being made, and is told by an event alone: who only reads has nothing to mend. */
const CLOSES_ANYWAY: ReadonlySet<string> = new Set(["LOG_CLOSED", "READ_ONLY"]);

const POLL = { timeoutMs: integerOption(0, TIMEOUT_MS_MAX), maxRecords: integerOption(1), signal: signalOption };
const COMMIT = { durable: booleanOption };
const READ = { until: choiceOption("end"), signal: signalOption };
const LISTENER = {
  onPartitionsRevoked: functionOption<NonNullable<RebalanceListener["onPartitionsRevoked"]>>(),
  onPartitionsAssigned: functionOption<NonNullable<RebalanceListener["onPartitionsAssigned"]>>(),
  onPartitionsLost: functionOption<NonNullable<RebalanceListener["onPartitionsLost"]>>(),
};

function readSession(call: string, options: ReadOptions | undefined): Session {
  const { until, signal } = checkOptions<{ until: "end"; signal: AbortSignal }>(options, READ, call);
  return new Session(call, { untilEnd: until === "end", signal });
}
