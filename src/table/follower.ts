/** Reads a topic's partitions on and on through a consumer, and knows when everything up to a given moment has been read. */
import type { Broker, ListedOffset } from "../api/broker.ts";
import type { Bytes, TopicPartition } from "../api/bytes.ts";
import type { Consumer, RecordBatch } from "../api/consumer.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorFromFault, OdradekError, UsageError } from "../base/errors.ts";

/** How soon partitions that were added, and a topic that was made anew, are noticed while nobody asks. */
const LOOK_INTERVAL_MS = 5000;

type RawConsumer = Consumer<Bytes, Bytes>;
export type RawBatch = RecordBatch<Bytes, Bytes>;

export interface FollowerWiring {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Of no group, from the earliest offset on, committed records alone. The follower's own from here on. */
  readonly consumer: RawConsumer;
  readonly take: (batch: RawBatch) => void;
  readonly beginsAt: (partition: number, logStartOffset: number) => void;
  /** A round to the ends is over. */
  readonly caughtUp: () => Promise<void> | void;
  /** Reading failed: until someone asks, nothing more is read. `isFinal`: nor after that. */
  readonly failed: (error: unknown, isFinal: boolean) => void;
}

interface Ask {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Follower {
  readonly #wiring: FollowerWiring;
  readonly #topic: string;
  #topicId: string | null = null;
  #partitions: readonly TopicPartition[] = [];
  /** By partition: everything below has been taken. */
  readonly #reached: number[] = [];
  #asks: Ask[] = [];
  /** Ends the wait for records: someone asks for a round to the ends, or it is time to look at the topic. */
  #wait: AbortController | null = null;
  #wake: (() => void) | null = null;
  #final: { readonly error: unknown } | null = null;
  #isClosing = false;
  #timer: Timer | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(wiring: FollowerWiring, topic: string) {
    this.#wiring = wiring;
    this.#topic = topic;
  }

  /** Resolves when everything has been taken that was committed, in any partition, at the time of the call. */
  async start(): Promise<void> {
    const first = this.#ask();
    this.#running = this.#run();
    this.#lookLater();
    await first;
  }

  /** As `start`. Costs two answers of the broker while there is nothing to read. */
  async caughtUp(): Promise<void> {
    this.#refuse();
    await this.#findPartitions();
    const ends = await this.#ends();
    this.#refuse();
    if (ends.every(({ partition, offset }) => (this.#reached[partition] ?? -1) >= (offset as number))) return;
    await this.#ask();
  }

  async close(error: unknown): Promise<void> {
    this.#isClosing = true;
    this.#timer?.cancel();
    this.#final ??= { error };
    this.#rejectAll(this.#asks, error);
    this.#interrupt();
    await this.#wiring.consumer.close();
    await this.#running;
  }

  #refuse(): void {
    if (this.#final !== null) throw this.#final.error;
  }

  #ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#asks.push({ resolve, reject });
      this.#interrupt();
    });
  }

  #interrupt(): void {
    this.#wait?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    while (!this.#isClosing) {
      const asks = this.#asks;
      this.#asks = [];
      try {
        await this.#readToEnds();
        for (const { resolve } of asks) resolve();
        await this.#readOn();
      } catch (error) {
        // Closed meanwhile.
        if (this.#final !== null) return this.#rejectAll(asks, this.#final.error);
        const isFinal = isGone(error);
        if (isFinal) this.#final = { error };
        this.#wiring.failed(error, isFinal);
        this.#rejectAll(asks, error);
        if (isFinal) return this.#rejectAll(this.#asks, error);
        // What is broken stays so for a while: it is met again by whoever asks next.
        await this.#asked();
      }
    }
  }

  async #readToEnds(): Promise<void> {
    const { consumer } = this.#wiring;
    await this.#findPartitions();
    await this.#ends();
    for await (const batch of consumer.batches({ until: "end" })) this.#take(batch);
    // Closed meanwhile: the round has not come to the ends.
    this.#refuse();
    for (const at of this.#partitions) this.#reached[at.partition] = await consumer.position(at);
    await this.#wiring.caughtUp();
  }

  /** Takes what comes, until it is interrupted. */
  async #readOn(): Promise<void> {
    if (this.#asks.length > 0 || this.#isClosing) return;
    const wait = new AbortController();
    this.#wait = wait;
    try {
      for await (const batch of this.#wiring.consumer.batches({ signal: wait.signal })) this.#take(batch);
      // The consumer was closed from outside, with the log; or by the table's close, and then nobody is told.
      throw new UsageError("LOG_CLOSED", `table("${this.#topic}"): the log was closed`);
    } catch (error) {
      if (!wait.signal.aborted || error !== wait.signal.reason) throw error;
    }
  }

  #take(batch: RawBatch): void {
    const standing = this.#wiring.broker.atHand?.standing(batch.topic, batch.partition) ?? null;
    if (standing !== null && standing.topicId !== this.#topicId) throw this.#madeAnew();
    this.#wiring.take(batch);
    this.#reached[batch.partition] = batch.lastOffset + 1;
  }

  /** Notices added partitions and reads them too. Throws when the topic is not there any more, or another of its name. */
  async #findPartitions(): Promise<void> {
    const { broker, consumer } = this.#wiring;
    const [metadata] = await broker.metadata([this.#topic]);
    if (metadata === undefined) {
      // Tells it with the nearest name, where `metadata` merely leaves the topic out.
      await broker.describeConfig(this.#topic);
      throw this.#madeAnew();
    }
    this.#topicId ??= metadata.topicId;
    if (metadata.topicId !== this.#topicId) throw this.#madeAnew();
    if (metadata.partitionCount === this.#partitions.length) return;
    const partitions = Array.from({ length: metadata.partitionCount }, (_, partition) => ({ topic: this.#topic, partition }));
    await consumer.assign(partitions);
    if (partitions.length > this.#partitions.length) this.#partitions = partitions;
  }

  /** The end of what is committed, in each partition. */
  async #ends(): Promise<readonly ListedOffset[]> {
    const partitions = this.#partitions.map((at) => ({ ...at, at: "latest" as const }));
    const listed = await this.#wiring.broker.listOffsets({ partitions, isolation: "readCommitted" });
    for (const { fault, partition, watermarks } of listed) {
      if (fault !== null) throw errorFromFault(fault);
      this.#wiring.beginsAt(partition, watermarks.logStartOffset);
    }
    return listed;
  }

  /** While nobody asks, an interrupted wait is enough: it is followed by a round to the ends, and that by a look at the topic. */
  #lookLater(): void {
    if (this.#final !== null) return;
    this.#timer = this.#wiring.clock.after(LOOK_INTERVAL_MS, () => {
      this.#wait?.abort();
      this.#lookLater();
    });
  }

  #asked(): Promise<void> {
    if (this.#asks.length > 0 || this.#isClosing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }

  #rejectAll(asks: Ask[], error: unknown): void {
    for (const { reject } of asks.splice(0)) reject(error);
  }

  #madeAnew(): UsageError {
    return new UsageError(
      "UNKNOWN_TOPIC_OR_PARTITION",
      `table("${this.#topic}"): the topic was deleted, and another of its name was made; open a table of that one`,
    );
  }
}

/** The topic, or what it is read through: no call can mend that. */
const GONE: ReadonlySet<string> = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "LOG_CLOSED", "CONSUMER_CLOSED"]);

function isGone(error: unknown): boolean {
  return error instanceof OdradekError && GONE.has(error.code);
}
