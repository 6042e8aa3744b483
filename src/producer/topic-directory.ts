/** What the producer knows of topics, how long it believes it, and how it asks again. */
import type { TopicMetadata } from "../api/broker.ts";
import type { Clock, Random } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest-name.ts";
import { describeValue } from "../base/options.ts";
import { Numbering } from "./numbering.ts";
import { StickyPartition } from "./partitioner.ts";
import type { PendingBatch } from "./pending-batch.ts";
import type { ProducerBroker } from "./producer-broker.ts";

/** Older knowledge is still used, and asked for anew beside it. */
const REFRESH_AGE_MS = 1_000;
/** Older knowledge is not used: so new partitions are seen within this time at the latest, by a producer at rest too. */
const AGE_MS_MAX = 10_000;
/** Topics known at a time; the one asked for longest ago goes first. */
const TOPICS_MAX = 10_000;

/** A topic as one producer sees it. */
export class TopicEntry {
  readonly name: string;
  readonly sticky: StickyPartition;
  /** By partition: the batch that sends are collected in. */
  readonly pending: (PendingBatch | undefined)[] = [];
  readonly numbering: Numbering = new Numbering();
  partitionCount = 0;
  maxMessageBytes = 0;
  /** A record without a key is refused. */
  requiresKey = false;
  knownAtMs: number = Number.NEGATIVE_INFINITY;
  /** The turn in which its age was last looked at. */
  seenInTurn = -1;

  constructor(name: string, random: Random) {
    this.name = name;
    this.sticky = new StickyPartition(random);
  }
}

export class TopicDirectory {
  readonly #broker: ProducerBroker;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onForgotten: (entry: TopicEntry) => void;
  readonly #entries = new Map<string, TopicEntry>();
  readonly #asking = new Map<string, Promise<TopicEntry>>();

  /** `onForgotten`: a topic was dropped to make room, and with it what its batches were numbered with. */
  constructor(broker: ProducerBroker, clock: Clock, random: Random, onForgotten: (entry: TopicEntry) => void) {
    this.#broker = broker;
    this.#clock = clock;
    this.#random = random;
    this.#onForgotten = onForgotten;
  }

  /** The topic as it was known lately, or null: then `refresh`. Within a turn that has a number its age is looked at once. */
  recent(topic: string, turn = -1): TopicEntry | null {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return null;
    if (turn >= 0 && entry.seenInTurn === turn && entry.knownAtMs !== Number.NEGATIVE_INFINITY) return entry;
    entry.seenInTurn = turn;
    const ageMs = this.#clock.monotonic() - entry.knownAtMs;
    if (ageMs > AGE_MS_MAX) return null;
    // What comes of it is seen by the next call that has to wait.
    if (ageMs > REFRESH_AGE_MS && !this.#asking.has(topic)) this.refresh(topic).catch(() => {});
    return entry;
  }

  /** Asks the broker. Rejects with `UNKNOWN_TOPIC_OR_PARTITION` and the nearest name. Calls at the same time share one question. */
  refresh(topic: string): Promise<TopicEntry> {
    let asking = this.#asking.get(topic);
    if (asking === undefined) {
      asking = this.#ask(topic).finally(() => this.#asking.delete(topic));
      this.#asking.set(topic, asking);
    }
    return asking;
  }

  /** What is known of the topic turned out to be wrong. */
  forget(topic: string): void {
    const entry = this.#entries.get(topic);
    if (entry !== undefined) entry.knownAtMs = Number.NEGATIVE_INFINITY;
  }

  async #ask(topic: string): Promise<TopicEntry> {
    const askedAtMs = this.#clock.monotonic();
    const metadata = (await this.#broker.metadata([topic])).find(({ name }) => name === topic);
    if (metadata === undefined) {
      this.forget(topic);
      throw await this.#unknown(topic);
    }
    return this.#learn(metadata, askedAtMs);
  }

  #learn({ name, internal, partitionCount, maxMessageBytes, requiresKey }: TopicMetadata, askedAtMs: number): TopicEntry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      if (this.#entries.size >= TOPICS_MAX) this.#dropOne();
      entry = new TopicEntry(name, this.#random);
      this.#entries.set(name, entry);
    }
    entry.partitionCount = partitionCount;
    entry.maxMessageBytes = maxMessageBytes;
    // Of an internal topic there is more to say, and the broker says it.
    entry.requiresKey = requiresKey && !internal;
    entry.knownAtMs = askedAtMs;
    return entry;
  }

  #dropOne(): void {
    for (const [name, entry] of this.#entries) {
      if (entry.pending.some((batch) => batch !== undefined)) continue;
      this.#entries.delete(name);
      this.#onForgotten(entry);
      return;
    }
  }

  async #unknown(topic: string): Promise<UsageError> {
    const names = (await this.#broker.metadata(null)).filter(({ internal }) => !internal).map(({ name }) => name);
    const near = nearestName(topic, names);
    const hint = near === null ? "make it with createTopic first" : `did you mean ${JSON.stringify(near)}?`;
    return new UsageError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic ${describeValue(topic)}; ${hint}`);
  }
}
