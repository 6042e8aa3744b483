/**
 * Compressed, compacted and transactional topics, written alike through a broker's clients or Odradek's face; `History` keeps what became
 * of each record.
 */
import { type Fate, History, settled } from "./history.ts";
import type { GroupOffset } from "./kafka-clients.ts";
import { SeededRandom } from "./random.ts";
import type { RawRecord } from "./record-hash.ts";

export type CodecName = "gzip" | "snappy" | "lz4" | "zstd";
export interface NewRecord extends Omit<RawRecord, "offset"> {
  readonly topic: string;
  readonly partition: number;
}
export interface Place {
  readonly offset: number;
  readonly timestamp: number;
}
export interface WriterSettings {
  readonly compressionType?: CodecName;
  readonly transactionalId?: string;
}
/** One producer. Every promise of it resolves when what it did is acknowledged. */
export interface Writer {
  begin(): Promise<void>;
  send(records: readonly NewRecord[]): Promise<readonly Place[]>;
  sendOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void>;
  end(commit: boolean): Promise<void>;
  close(): Promise<void>;
}
/** What the workload needs of a log, a broker's or ours. */
export interface Clients {
  /** Kafka's names of settings. Answers the topic's id. */
  createTopic(topic: string, partitions: number, config: Readonly<Record<string, string | number>>): Promise<string>;
  writer(settings: WriterSettings): Promise<Writer>;
  commitOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void>;
}

const noon = 1_700_000_000_000;
/** Small enough that every topic rolls. */
const segmentBytes = 6000;
export const txnPartitionCount = 2;
export const workloadIndexIntervalBytes = 200;
/** One partition for each codec, and one in which they are mixed. */
export const mixedPartition = 4;
export const allCodecs: readonly CodecName[] = ["gzip", "snappy", "lz4", "zstd"];

export class Workload {
  readonly history: History = new History();
  /** One partition for each of `allCodecs`, in that order, and the mixed one. */
  readonly packed: string;
  readonly accounts: string;
  /** Compacted; its tombstones may go as soon as a second pass comes. */
  readonly users: string;
  /** Compacted; its tombstones stay for a day. */
  readonly graves: string;
  readonly group: string;
  readonly #prefix: string;
  readonly #random: SeededRandom;
  /** Those that the writing side can write. */
  codecs: readonly CodecName[] = allCodecs;
  #clock: number = noon;

  constructor(prefix: string, seed: number) {
    this.#prefix = prefix;
    this.#random = new SeededRandom(seed);
    this.packed = `${prefix}packed`;
    this.accounts = `${prefix}accounts`;
    this.users = `${prefix}users`;
    this.graves = `${prefix}graves`;
    this.group = `${prefix}group`;
  }

  get topics(): readonly string[] {
    return [this.packed, this.accounts, this.users, this.graves];
  }

  isCompacted(topic: string): boolean {
    return topic === this.users || topic === this.graves;
  }

  get compactedPartitions(): readonly string[] {
    return [`${this.users}-0`, `${this.users}-1`, `${this.graves}-0`];
  }

  /** With Kafka's names of settings; a broker takes small segments under an internal name alone. Answers the ids by topic. */
  async create(clients: Clients, segmentBytesName: "internal.segment.bytes" | "segment.bytes"): Promise<ReadonlyMap<string, string>> {
    const common = { [segmentBytesName]: segmentBytes, "index.interval.bytes": workloadIndexIntervalBytes };
    const compact = { ...common, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01 };
    const ids = new Map<string, string>();
    ids.set(this.packed, await clients.createTopic(this.packed, mixedPartition + 1, common));
    ids.set(this.accounts, await clients.createTopic(this.accounts, txnPartitionCount, common));
    ids.set(this.users, await clients.createTopic(this.users, txnPartitionCount, { ...compact, "delete.retention.ms": 0 }));
    ids.set(this.graves, await clients.createTopic(this.graves, 1, { ...compact, "delete.retention.ms": 86_400_000 }));
    return ids;
  }

  /** Records of every shape in every codec, apart and mixed. */
  async compress(clients: Clients): Promise<void> {
    const writers: Writer[] = [];
    for (const compressionType of this.codecs) {
      const writer = await clients.writer({ compressionType });
      await this.#write(writer, this.#shapes(this.packed, allCodecs.indexOf(compressionType), 150), settled);
      writers.push(writer);
    }
    writers.push(await clients.writer({}));
    for (let round = 0; round < 3; round++)
      for (const writer of writers) await this.#write(writer, this.#shapes(this.packed, mixedPartition, 15), settled);
    for (const writer of writers) await writer.close();
  }

  /** Committed, aborted, overlapping, compressed and spread over segments; offsets within and without. Leaves nothing open. */
  async transact(clients: Clients): Promise<void> {
    const plain = await clients.writer({});
    const [first, second] = [await clients.writer({ transactionalId: `${this.#prefix}first` }), await this.#packedWriter(clients)];
    const rows = (count: number): NewRecord[] => [0, 1].flatMap((partition) => this.#shapes(this.accounts, partition, count));
    await this.#write(plain, rows(5), settled);
    await this.#transaction(first, true, (fate) => this.#write(first, rows(10), fate));
    await this.#transaction(first, false, (fate) => this.#write(first, rows(10), fate));
    // The second begins first and ends last; what is plain lies between, and segments roll on the way.
    let ended: Promise<void> = Promise.resolve();
    await this.#transaction(second, true, async (late) => {
      await this.#write(second, rows(4), late);
      const early: Fate = { state: "aborted" };
      await first.begin();
      await this.#write(first, rows(40), early);
      await this.#write(plain, rows(10), settled);
      await this.#write(first, rows(10), early);
      // Not awaited here: Odradek's resolves when its marker can be read, which is behind the second's end.
      ended = first.end(false);
      await this.#write(second, rows(30), late);
    });
    await ended;
    await this.#transaction(second, false, (fate) => this.#write(second, rows(3), fate));
    await this.#commitOffsets(clients, 3);
    for (const [nextOffset, commit] of [
      [7, true],
      [9, false],
    ] as const) {
      await this.#transaction(first, commit, async (fate) => {
        await this.#write(first, rows(1), fate);
        await this.#sendOffsets(first, nextOffset, fate);
      });
    }
    await this.#write(plain, rows(5), settled);
    for (const writer of [plain, first, second]) await writer.close();
  }

  /** Begins one that nobody ends, with offsets pending, and writes on behind it. Answers its producer. */
  async leaveOpen(clients: Clients): Promise<Writer> {
    const forgotten = await clients.writer({ transactionalId: `${this.#prefix}forgotten` });
    const other = await clients.writer({ transactionalId: `${this.#prefix}other` });
    const fate: Fate = { state: "open" };
    await forgotten.begin();
    await this.#write(forgotten, this.#shapes(this.accounts, 0, 5), fate);
    await this.#sendOffsets(forgotten, 11, fate);
    for (const commit of [true, false]) {
      await this.#transaction(other, commit, (each) =>
        this.#write(
          other,
          [0, 1].flatMap((partition) => this.#shapes(this.accounts, partition, 6)),
          each,
        ),
      );
    }
    await other.close();
    return forgotten;
  }

  /**
   * Values that overwrite those of the round before, tombstones, producers of whom nothing but their last batch must stay, and
   * transactions: enough of each that segments roll.
   */
  async overwrite(clients: Clients, round: number): Promise<void> {
    const [once, steady, txn] = [await clients.writer({}), await this.#packedWriter(clients, false), await this.#packedWriter(clients)];
    for (const topic of [this.users, this.graves]) {
      const partitions = topic === this.users ? [0, 1] : [0];
      const rows = (count: number): NewRecord[] => partitions.flatMap((partition) => this.#keyed(topic, partition, count, round));
      await this.#write(once, rows(3), settled);
      await this.#write(steady, rows(40), settled);
      for (const commit of [true, false, true]) await this.#transaction(txn, commit, (fate) => this.#write(txn, rows(15), fate));
      await this.#write(steady, rows(60), settled);
      await this.#transaction(txn, false, (fate) => this.#write(txn, rows(3), fate));
      await this.#write(steady, rows(60), settled);
    }
    for (const writer of [once, steady, txn]) await writer.close();
  }

  /** A record of 6 kB, so that everything before it lies in a segment that is left: a cleaner passes over the active one. */
  async roll(clients: Clients): Promise<void> {
    const writer = await clients.writer({});
    for (const [topic, partition] of [
      [this.users, 0],
      [this.users, 1],
      [this.graves, 0],
    ] as const) {
      const value = this.#random.bytes(segmentBytes - 200);
      await this.#write(writer, [{ topic, partition, timestamp: this.#now(), key: Buffer.from("roll"), value, headers: [] }], settled);
    }
    await writer.close();
  }

  #packedWriter(clients: Clients, transactional = true): Promise<Writer> {
    const compressionType = this.codecs.at(-1) as CodecName;
    return clients.writer(transactional ? { compressionType, transactionalId: `${this.#prefix}second` } : { compressionType });
  }

  async #transaction(writer: Writer, commit: boolean, body: (fate: Fate) => Promise<void>): Promise<void> {
    const fate: Fate = { state: "open" };
    await writer.begin();
    await body(fate);
    await writer.end(commit);
    fate.state = commit ? "committed" : "aborted";
  }

  async #write(writer: Writer, records: readonly NewRecord[], fate: Fate): Promise<void> {
    const places = await writer.send(records);
    for (const [index, { topic, partition, ...record }] of records.entries())
      this.history.add(topic, partition, { ...record, ...(places[index] as Place) }, fate);
  }

  async #commitOffsets(clients: Clients, nextOffset: number): Promise<void> {
    const offsets = [0, 1].map((partition) => ({ topic: this.accounts, partition, nextOffset, metadata: "" }));
    await clients.commitOffsets(this.group, offsets);
    this.history.addOffsets(this.group, offsets, settled);
  }

  async #sendOffsets(writer: Writer, nextOffset: number, fate: Fate): Promise<void> {
    const offsets = [{ topic: this.accounts, partition: 0, nextOffset, metadata: "" }];
    await writer.sendOffsets(this.group, offsets);
    this.history.addOffsets(this.group, offsets, fate);
  }

  #shapes(topic: string, partition: number, count: number): NewRecord[] {
    const random = this.#random;
    return Array.from({ length: count }, () => ({
      topic,
      partition,
      timestamp: random.oneIn(20) ? noon - random.below(1000) : this.#now(),
      key: random.oneIn(4) ? null : Buffer.from(`key-${random.below(20)}`),
      value: random.oneIn(8)
        ? null
        : random.oneIn(2)
          ? random.bytes(random.below(200))
          : Buffer.from(random.text(20).repeat(random.below(9))),
      headers: random.oneIn(3)
        ? [["hé", random.pick([null, new Uint8Array(random.bytes(random.below(9)))])] as RawRecord["headers"][number]]
        : [],
    })) as NewRecord[];
  }

  #keyed(topic: string, partition: number, count: number, round: number): NewRecord[] {
    return Array.from({ length: count }, () => {
      // Half of the keys are of this round alone: of an older round, one in two stays.
      const key = this.#random.oneIn(2) ? `shared-${this.#random.below(30)}` : `round-${round}-${this.#random.below(30)}`;
      const value = this.#random.oneIn(5) ? null : Buffer.from(this.#random.text(4).repeat(1 + this.#random.below(30)));
      return { topic, partition, timestamp: this.#now(), key: Buffer.from(key), value, headers: [] } as unknown as NewRecord;
    });
  }

  #now(): number {
    this.#clock += this.#random.below(1000);
    return this.#clock;
  }
}
