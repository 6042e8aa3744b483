/** The table: what `log.table()` gives. A compacted topic, read on and on into a map of the newest record of each key. */
import type { Broker } from "../api/broker.ts";
import type { Bytes, Options } from "../api/bytes.ts";
import type { Consumer, ConsumerRecord } from "../api/consumer.ts";
import type { Serde } from "../api/serde.ts";
import type { Table } from "../api/table.ts";
import type { Clock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { checkOptions, describeValue, objectOption, signalOption } from "../base/options.ts";
import { type Turn, turnOf } from "../base/turn.ts";
import { Content } from "./content.ts";
import { decodedKey, decodedValue, type Entry, encodedKey, entryOf, type TableSerdes } from "./entry.ts";
import { Follower, type RawBatch } from "./follower.ts";
import { Watch } from "./watch.ts";

export interface TableWiring {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly emit: (type: string, fields: { readonly [field: string]: unknown }) => void;
  /** Of no group, keys and values as bytes, from the earliest offset on, committed records alone. */
  readonly consumer: () => Consumer<Bytes, Bytes>;
  readonly defaultKey: Serde<unknown>;
  readonly defaultValue: Serde<unknown>;
  readonly onClose: (table: Table<never, never>) => void;
}

const SERDE = objectOption<Serde<never>>("a serde, an object with serialize and deserialize", "serialize", "deserialize");
const OPTIONS = { key: SERDE, value: SERDE };
const WATCH = { signal: signalOption };
/** Entries looked at before the clock is. */
const SWEEP_STEP_COUNT = 1024;

/**
 * Resolves when caught up with everything committed at the time of the call. Rejects with a `UsageError`: `POLICY_VIOLATION` for a
 * topic that is not compacted, `UNKNOWN_TOPIC_OR_PARTITION` with the nearest name, or one about the options.
 */
export async function openTable<K, V>(
  wiring: TableWiring,
  topic: string,
  options?: Options<{ key: Serde<K>; value: Serde<V> }>,
): Promise<Table<K, V>> {
  const checked = checkOptions<{ key: Serde<K>; value: Serde<V> }>(options, OPTIONS as never, "log.table()");
  if (typeof topic !== "string")
    throw new UsageError("INVALID_ARGUMENT", `log.table(): expected a topic's name, found ${describeValue(topic)}`);
  const { cleanupPolicy } = await wiring.broker.describeConfig(topic);
  if (!cleanupPolicy.includes("compact")) {
    throw new UsageError(
      "POLICY_VIOLATION",
      `table("${topic}"): expected a compacted topic, found cleanupPolicy "${cleanupPolicy}"; createTopic("${topic}", { cleanupPolicy: "compact" }) makes one, alterTopic changes it`,
    );
  }
  const serdes = { key: checked.key ?? wiring.defaultKey, value: checked.value ?? wiring.defaultValue } as TableSerdes<K, V>;
  const table = new LogTable<K, V>(wiring, topic, serdes);
  await table.start();
  return table;
}

class LogTable<K, V> implements Table<K, V> {
  readonly #wiring: TableWiring;
  readonly #topic: string;
  readonly #serdes: TableSerdes<K, V>;
  readonly #content: Content = new Content();
  readonly #follower: Follower;
  readonly #turn: Turn;
  readonly #watches: Set<Watch<K, V>> = new Set();
  #closing: Promise<void> | null = null;

  constructor(wiring: TableWiring, topic: string, serdes: TableSerdes<K, V>) {
    this.#wiring = wiring;
    this.#topic = topic;
    this.#serdes = serdes;
    this.#turn = turnOf(wiring.clock);
    this.#follower = new Follower(
      {
        broker: wiring.broker,
        clock: wiring.clock,
        consumer: wiring.consumer(),
        take: (batch) => this.#take(batch),
        beginsAt: (partition, offset) => this.#content.beginsAt(partition, offset),
        caughtUp: () => this.#tidy(),
        failed: (error) => {
          for (const watch of [...this.#watches]) watch.fail(error);
        },
      },
      topic,
    );
  }

  async start(): Promise<void> {
    try {
      await this.#follower.start();
    } catch (error) {
      await this.close().catch(() => {});
      throw error;
    }
  }

  async get(key: K): Promise<V | undefined> {
    const text = this.#keyText(key, "get()");
    await this.#caughtUp();
    const entry = this.#content.get(text);
    return entry === undefined ? undefined : (decodedValue(this.#topic, entry, this.#serdes.value) as V);
  }

  async has(key: K): Promise<boolean> {
    const text = this.#keyText(key, "has()");
    await this.#caughtUp();
    return this.#content.get(text) !== undefined;
  }

  entries(): AsyncIterableIterator<[K, V]> {
    this.#refuseClosed("entries()");
    return new EntryIterator(
      async () => {
        await this.#follower.caughtUp();
        return this.#content.snapshot();
      },
      (entry) => [decodedKey(this.#topic, entry, this.#serdes.key), decodedValue(this.#topic, entry, this.#serdes.value) as V],
      () => this.#refuseClosed("entries()"),
      this.#turn,
    );
  }

  watch(options?: Options<{ signal: AbortSignal }>): AsyncIterableIterator<ConsumerRecord<K, V>> {
    const { signal } = checkOptions<{ signal: AbortSignal }>(options, WATCH, "watch()");
    this.#refuseClosed("watch()");
    const watch = new Watch<K, V>({
      topic: this.#topic,
      serdes: this.#serdes,
      turn: this.#turn,
      signal,
      onLeave: (left) => this.#watches.delete(left),
    });
    if (signal?.aborted === true) return watch;
    this.#watches.add(watch);
    // Where reading had failed it is tried again; what it meets is told by the watch.
    this.#follower.caughtUp().catch((error: unknown) => watch.fail(error));
    return watch;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    // Begun in the turn of the call: whoever looks sees a table that is closing.
    for (const watch of [...this.#watches]) watch.end();
    try {
      await this.#follower.close(this.#closed("the table"));
    } finally {
      this.#content.clear();
      this.#wiring.onClose(this as unknown as Table<never, never>);
    }
  }

  /** Where nothing new was written it waits for no event: a loop of `get` would keep timers and sockets waiting. */
  async #caughtUp(): Promise<void> {
    if (this.#turn.isSpent()) await this.#turn.next();
    await this.#follower.caughtUp();
  }

  #take(batch: RawBatch): void {
    let keyless = 0;
    for (const record of batch) {
      const entry = entryOf(record);
      if (entry === null) keyless += 1;
      else if (this.#content.put(entry)) for (const watch of this.#watches) watch.push(entry);
    }
    if (keyless === 0) return;
    // Written before the topic was compacted, or by another writer. It is no state of anything.
    const { topic, partition, firstOffset, lastOffset } = batch;
    this.#wiring.emit("record.skipped", { partition: { topic, partition }, offset: firstOffset, lastOffset, recordCount: keyless });
  }

  async #tidy(): Promise<void> {
    this.#content.filled();
    for (const _ of this.#content.sweep(SWEEP_STEP_COUNT)) if (this.#turn.isSpent()) await this.#turn.next();
  }

  #keyText(key: K, call: string): string {
    if (key === null || key === undefined)
      throw new UsageError("INVALID_ARGUMENT", `${call}: expected a key, found ${describeValue(key)}; a table has no record without one`);
    return encodedKey(this.#topic, key, this.#serdes.key, call);
  }

  #refuseClosed(call: string): void {
    if (this.#closing !== null) throw this.#closed(call);
  }

  #closed(call: string): UsageError {
    return new UsageError("TABLE_CLOSED", `${call}: the table of topic "${this.#topic}" was closed`);
  }
}

/** What stood in the table at the first `next()`, one entry at a time, decoded when asked for. */
class EntryIterator<T> implements AsyncIterableIterator<T> {
  readonly #load: () => Promise<Entry[]>;
  readonly #decode: (entry: Entry) => T;
  readonly #refuseClosed: () => void;
  readonly #turn: Turn;
  #entries: Promise<Entry[]> | null = null;
  #at = 0;
  #isOver = false;

  constructor(load: () => Promise<Entry[]>, decode: (entry: Entry) => T, refuseClosed: () => void, turn: Turn) {
    this.#load = load;
    this.#decode = decode;
    this.#refuseClosed = refuseClosed;
    this.#turn = turn;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with the `SerdeError` of an entry that does not deserialize; the call after it goes on behind that one. */
  async next(): Promise<IteratorResult<T>> {
    if (this.#isOver) return { done: true, value: undefined };
    this.#refuseClosed();
    this.#entries ??= this.#load();
    const entries = await this.#entries;
    if (this.#turn.isSpent()) await this.#turn.next();
    // Half a table must not pass for a whole one.
    this.#refuseClosed();
    const entry = entries[this.#at];
    if (entry === undefined || this.#isOver) {
      this.#leave();
      return { done: true, value: undefined };
    }
    this.#at += 1;
    return { done: false, value: this.#decode(entry) };
  }

  return(value?: unknown): Promise<IteratorResult<T>> {
    this.#leave();
    return Promise.resolve({ done: true, value: value as undefined });
  }

  throw(error?: unknown): Promise<IteratorResult<T>> {
    this.#leave();
    return Promise.reject(error);
  }

  #leave(): void {
    this.#isOver = true;
    this.#entries = null;
  }
}
