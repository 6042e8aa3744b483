/** A broker of a few hundred lines that keeps the promises in the simplest way there is, and breaks one of them when told to. */
import type {
  FetchRequest,
  FetchResponse,
  ProduceRequest,
  ProduceResponse,
  ProducerIdentity,
  TransactionIdentity,
} from "../../src/api/broker.ts";
import type { TopicPartition, Watermarks } from "../../src/api/bytes.ts";
import { ProducerStateError } from "../../src/base/errors.ts";
import { readBatchHeader, stampBatch, stampChecksum } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { Core } from "../../src/core/core.ts";
import type { ManualClock } from "../../src/testing/manual-clock.ts";
import { DELETE_RETENTION_MS, GUARANTEE_TOPICS, type Subject } from "./guarantees-rig.ts";

/** Each breaks one promise, and nothing else. */
export type Lie =
  | "drops the newest value of a key"
  | "gives up a tombstone and keeps what it deleted"
  | "gives up a tombstone before its horizon"
  | "moves a record to another offset"
  | "lets the log end go back"
  | "loses an acknowledged record"
  | "alters a value"
  | "appends a repetition again"
  | "answers a repetition with another offset"
  | "commits one partition of two"
  | "commits records without offsets"
  | "commits offsets without records"
  | "shows what was aborted"
  | "shows what is open"
  | "hides what was committed"
  | "commits what was never ended"
  | "leaves a transaction open"
  | "gives a producer id twice"
  | "lets a fenced producer in"
  | "keeps the epoch"
  | "skips a committed batch for a slow reader";

interface Entry {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly key: string;
  readonly isTombstone: boolean;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  readonly marker: boolean | null;
  readonly timestamp: number;
  horizonMs: number | null;
}

interface PartitionDisk {
  entries: Entry[];
  start: number;
  end: number;
  readonly sequences: Map<
    bigint,
    { epoch: number; last: { readonly sequence: number; readonly count: number; readonly offset: number }[] }
  >;
  readonly open: Map<bigint, number>;
  aborted: { readonly producerId: bigint; readonly first: number; readonly last: number }[];
}

/** What outlives an open: everything, at once. */
export class LyingDisk {
  readonly partitions: Map<string, PartitionDisk> = new Map();
  readonly topics: Set<string> = new Set();
  readonly offsets: Map<string, number> = new Map();
  readonly transactional: Map<string, { producerId: bigint; producerEpoch: number }> = new Map();
  nextProducerId = 7n;
}

const text = new TextDecoder();
const refuse = (code: "PRODUCER_FENCED" | "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_TXN_STATE"): never => {
  throw new ProducerStateError(code, `the lying broker: ${code}`);
};

export class LyingBroker {
  readonly #disk: LyingDisk;
  readonly #core: Core;
  readonly #clock: ManualClock;
  readonly #lie: Lie | null;
  readonly #touched: Map<string, Set<string>> = new Map();
  readonly #pendingOffsets: Map<string, Map<string, number>> = new Map();
  #hasLied = false;

  constructor(disk: LyingDisk, core: Core, clock: ManualClock, lie: Lie | null) {
    this.#disk = disk;
    this.#core = core;
    this.#clock = clock;
    this.#lie = lie;
    for (const partition of disk.partitions.values()) {
      for (const [producerId] of partition.open) {
        if (this.#lies("leaves a transaction open")) continue;
        this.#mark(partition, producerId, this.#lies("commits what was never ended"));
      }
      if (partition.end > 4 && this.#lies("lets the log end go back")) partition.end -= 1 + partition.entries.splice(-2).length;
      const [acknowledged] = partition.entries.filter((entry) => entry.marker === null);
      if (acknowledged !== undefined && this.#lies("loses an acknowledged record"))
        partition.entries.splice(partition.entries.indexOf(acknowledged), 1);
    }
    if (disk.partitions.size > 0 && this.#lies("gives a producer id twice")) disk.nextProducerId = 7n;
  }

  /** As the simulation drives it. */
  subject(): Subject {
    return { broker: this, clock: this.#clock, writer: this.#core.writer, compress: () => null, decompress: (batch) => batch.slice() };
  }

  hasTopic(topic: string): boolean {
    return this.#disk.topics.has(topic);
  }

  async createTopic({ topic, partitions }: { readonly topic: string; readonly partitions: number }): Promise<never> {
    this.#disk.topics.add(topic);
    for (let partition = 0; partition < partitions; partition += 1) {
      this.#disk.partitions.set(`${topic}/${partition}`, {
        entries: [],
        start: 0,
        end: 0,
        sequences: new Map(),
        open: new Map(),
        aborted: [],
      });
    }
    return undefined as never;
  }

  async produce({ topic, partition: number, batch, transactionalId }: ProduceRequest): Promise<ProduceResponse> {
    const partition = this.#partition(topic, number);
    const header = readBatchHeader(batch);
    const { producerId, producerEpoch, baseSequence, recordCount } = header;
    const isTransactional = transactionalId !== undefined;
    if (isTransactional) this.#checkIdentity({ transactionalId, producerId, producerEpoch });
    if (isTransactional && !this.#touched.get(transactionalId)?.has(`${topic}/${number}`)) refuse("INVALID_TXN_STATE");
    const baseOffset = partition.end;
    if (producerId >= 0n) {
      const state = partition.sequences.get(producerId);
      const known = state?.epoch === producerEpoch ? state.last : [];
      const duplicate = known.find((each) => each.sequence === baseSequence && each.count === recordCount);
      if (duplicate !== undefined && !this.#lies("appends a repetition again")) {
        return this.#answer(duplicate.offset + (this.#lies("answers a repetition with another offset") ? 1 : 0));
      }
      const last = known.at(-1);
      if (duplicate === undefined && last !== undefined && baseSequence !== last.sequence + last.count)
        refuse("OUT_OF_ORDER_SEQUENCE_NUMBER");
      partition.sequences.set(producerId, {
        epoch: producerEpoch,
        last: [...known, { sequence: baseSequence, count: recordCount, offset: baseOffset }].slice(-5),
      });
    }
    const cursor = new RecordCursor(batch.slice());
    const records: { key: Uint8Array; value: Uint8Array | null; headers: ReturnType<RecordCursor["decodeHeaders"]>; timestamp: number }[] =
      [];
    while (cursor.next())
      records.push({ key: cursor.key()!, value: cursor.value(), headers: cursor.decodeHeaders(), timestamp: cursor.timestamp });
    if (isTransactional && !partition.open.has(producerId)) partition.open.set(producerId, baseOffset);
    for (const record of records) {
      const value = record.value !== null && this.#lies("alters a value") ? new TextEncoder().encode("altered") : record.value;
      this.#append(partition, { ...record, value }, { producerId, producerEpoch, isTransactional, marker: null });
    }
    return this.#answer(baseOffset);
  }

  async fetch({ partitions, isolation }: FetchRequest): Promise<FetchResponse> {
    const answers = partitions.map(({ topic, partition: number, offset, maxBytes }) => {
      const partition = this.#partition(topic, number);
      const watermarks = this.#marks(partition);
      const limit = isolation === "readCommitted" && this.#lie !== "shows what is open" ? watermarks.lastStableOffset : partition.end;
      if (offset < partition.start || offset > partition.end) {
        const message = `offset ${offset}, there is ${partition.start} to ${partition.end}`;
        const fault = { name: "OffsetError", code: "OFFSET_OUT_OF_RANGE", message, details: {} };
        return { topic, partition: number, fault, watermarks, abortedTransactions: [], batches: joined([]) };
      }
      const isSlow = maxBytes === 200;
      const batches: Uint8Array[] = [];
      for (const entry of partition.entries) {
        if (entry.offset < offset || entry.offset >= limit || batches.length >= (isSlow ? 2 : 9)) continue;
        if (isSlow && entry.marker === null && partition.entries.length > 5 && this.#lies("skips a committed batch for a slow reader"))
          continue;
        batches.push(entry.bytes);
      }
      const shown = this.#lie === "shows what was aborted" ? [] : partition.aborted;
      const abortedTransactions = shown
        .filter(({ last }) => last >= offset)
        .map(({ producerId, first }) => ({ producerId, firstOffset: first }));
      const hidden = partition.entries.find((entry) => entry.isTransactional && entry.marker === null && entry.offset < limit);
      if (isolation === "readCommitted" && hidden !== undefined && this.#lie === "hides what was committed")
        abortedTransactions.push({ producerId: hidden.producerId, firstOffset: hidden.offset });
      return { topic, partition: number, fault: null, watermarks, abortedTransactions, batches: joined(batches) };
    });
    return { partitions: answers, throttleTimeMs: 0 };
  }

  async listOffsets({ partitions }: { readonly partitions: readonly TopicPartition[] }): Promise<never> {
    return partitions.map(({ topic, partition }) => {
      const watermarks = this.#marks(this.#partition(topic, partition));
      return { topic, partition, fault: null, offset: watermarks.logStartOffset, timestamp: -1, watermarks };
    }) as never;
  }

  async deleteRecords(at: TopicPartition, before: number): Promise<number> {
    const partition = this.#partition(at.topic, at.partition);
    // No gap at the new start: what is kept begins there.
    partition.start = Math.max(partition.start, before);
    return partition.start;
  }

  async initProducerId({ transactionalId }: { readonly transactionalId: string | null }): Promise<ProducerIdentity> {
    const known = transactionalId === null ? undefined : this.#disk.transactional.get(transactionalId);
    if (transactionalId === null || known === undefined) {
      const identity = { producerId: this.#disk.nextProducerId, producerEpoch: 0 };
      this.#disk.nextProducerId += 1n;
      if (transactionalId !== null) this.#disk.transactional.set(transactionalId, { ...identity });
      return identity;
    }
    this.#end(transactionalId, known.producerId, false);
    if (!this.#lies("keeps the epoch")) known.producerEpoch += 1;
    return { ...known };
  }

  async addPartitions({
    partitions,
    ...identity
  }: TransactionIdentity & { readonly partitions: readonly TopicPartition[] }): Promise<void> {
    this.#checkIdentity(identity);
    const touched = this.#touched.get(identity.transactionalId) ?? new Set();
    for (const { topic, partition } of partitions) touched.add(`${topic}/${partition}`);
    this.#touched.set(identity.transactionalId, touched);
  }

  async addOffsets(request: TransactionIdentity): Promise<void> {
    this.#checkIdentity(request);
  }

  async commitOffsets(
    request: TransactionIdentity & { readonly groupId: string; readonly offsets: readonly (TopicPartition & { nextOffset: number })[] },
  ): Promise<void> {
    this.#checkIdentity(request);
    const pending = this.#pendingOffsets.get(request.transactionalId) ?? new Map();
    for (const { topic, partition, nextOffset } of request.offsets) pending.set(`${request.groupId}/${topic}/${partition}`, nextOffset);
    this.#pendingOffsets.set(request.transactionalId, pending);
  }

  async endTransaction({ commit, ...identity }: TransactionIdentity & { readonly commit: boolean }): Promise<ProducerIdentity> {
    this.#checkIdentity(identity);
    this.#end(identity.transactionalId, identity.producerId, commit);
    return { producerId: identity.producerId, producerEpoch: identity.producerEpoch };
  }

  async offsetFetch({
    groupId,
    partitions,
  }: {
    readonly groupId: string;
    readonly partitions: readonly TopicPartition[] | null;
  }): Promise<never> {
    return (partitions ?? []).map(({ topic, partition }) => ({
      topic,
      partition,
      nextOffset: this.#disk.offsets.get(`${groupId}/${topic}/${partition}`) ?? null,
      leaderEpoch: -1,
      metadata: "",
    })) as never;
  }

  async maintain(): Promise<void> {
    for (const [name, partition] of this.#disk.partitions) {
      if (GUARANTEE_TOPICS[name.split("/")[0] as string]?.cleanupPolicy !== "delete") this.#compact(partition);
    }
  }

  async close(): Promise<void> {}

  #end(transactionalId: string, producerId: bigint, commit: boolean): void {
    const isHalf = commit && (this.#touched.get(transactionalId)?.size ?? 0) > 1 && this.#lies("commits one partition of two");
    let ended = 0;
    const withoutRecords = commit && this.#lie === "commits offsets without records";
    for (const partition of this.#disk.partitions.values()) {
      if (!partition.open.has(producerId)) continue;
      this.#mark(partition, producerId, commit && !withoutRecords && !(isHalf && ended > 0));
      ended += 1;
    }
    const offsets = this.#pendingOffsets.get(transactionalId) ?? new Map();
    if (commit && this.#lie !== "commits records without offsets")
      for (const [name, nextOffset] of offsets) this.#disk.offsets.set(name, nextOffset);
    this.#pendingOffsets.delete(transactionalId);
    this.#touched.delete(transactionalId);
  }

  /** The first pass over a tombstone gives it a horizon, a later one takes it. The last entry looked at stays, so that the end does. */
  #compact(partition: PartitionDisk): void {
    const stable = this.#marks(partition).lastStableOffset;
    const now = this.#clock.now();
    const isAborted = (entry: Entry): boolean =>
      entry.isTransactional &&
      partition.aborted.some(
        ({ producerId, first, last }) => producerId === entry.producerId && entry.offset >= first && entry.offset <= last,
      );
    const newest = new Map<string, number>();
    for (const entry of partition.entries)
      if (entry.marker === null && entry.offset < stable && !isAborted(entry)) newest.set(entry.key, entry.offset);
    const last = partition.entries.findLast((entry) => entry.offset < stable);
    partition.entries = partition.entries.filter((entry) => {
      if (entry.offset >= stable || entry === last || entry.marker !== null) return true;
      if (isAborted(entry)) return false;
      if (entry.offset < (newest.get(entry.key) as number))
        return entry.isTombstone === false && this.#lie === "gives up a tombstone and keeps what it deleted";
      if (!entry.isTombstone) return !this.#lies("drops the newest value of a key");
      entry.horizonMs ??= now + (this.#lie === "gives up a tombstone before its horizon" ? 0 : DELETE_RETENTION_MS);
      return entry.horizonMs > now;
    });
    const moved = partition.entries.findIndex(
      (entry, index) => entry.marker === null && entry.offset + 1 < (partition.entries[index + 1]?.offset ?? 0),
    );
    if (moved >= 0 && this.#lies("moves a record to another offset")) {
      const entry = partition.entries[moved] as Entry;
      const bytes = entry.bytes.slice();
      stampBatch(bytes, entry.offset + 1, 0);
      partition.entries[moved] = { ...entry, bytes, offset: entry.offset + 1 };
    }
  }

  #mark(partition: PartitionDisk, producerId: bigint, commit: boolean): void {
    const first = partition.open.get(producerId) as number;
    partition.open.delete(producerId);
    if (!commit) partition.aborted.push({ producerId, first, last: partition.end });
    const key = Uint8Array.of(0, 0, 0, commit ? 1 : 0);
    const record = { key, value: new Uint8Array(6), headers: [], timestamp: this.#clock.now() };
    this.#append(partition, record, { producerId, producerEpoch: 0, isTransactional: true, marker: commit });
  }

  /** Each record in a batch of its own: the simplest log. */
  #append(
    partition: PartitionDisk,
    record: { key: Uint8Array; value: Uint8Array | null; headers: ReturnType<RecordCursor["decodeHeaders"]>; timestamp: number },
    by: { producerId: bigint; producerEpoch: number; isTransactional: boolean; marker: boolean | null },
  ): void {
    const { writer } = this.#core;
    const { producerId, producerEpoch, isTransactional, marker } = by;
    writer.begin({ producerId, producerEpoch, baseSequence: -1, transactional: isTransactional, control: marker !== null });
    writer.append(record.key, record.value, record.headers, record.timestamp);
    const bytes = writer.finish().slice();
    stampBatch(bytes, partition.end, 0);
    stampChecksum(bytes, this.#core);
    partition.entries.push({
      offset: partition.end,
      bytes,
      key: text.decode(record.key),
      isTombstone: record.value === null,
      producerId,
      isTransactional,
      marker,
      timestamp: record.timestamp,
      horizonMs: null,
    });
    partition.end += 1;
  }

  #checkIdentity({ transactionalId, producerId, producerEpoch }: TransactionIdentity): void {
    const known = this.#disk.transactional.get(transactionalId);
    const isCurrent = known?.producerId === producerId && known.producerEpoch === producerEpoch;
    if (!isCurrent && this.#lie !== "lets a fenced producer in") refuse("PRODUCER_FENCED");
  }

  #partition(topic: string, partition: number): PartitionDisk {
    return this.#disk.partitions.get(`${topic}/${partition}`) as PartitionDisk;
  }

  #marks(partition: PartitionDisk): Watermarks {
    const lastStableOffset = Math.max(partition.start, Math.min(partition.end, ...partition.open.values()));
    return { logStartOffset: partition.start, lastStableOffset, highWatermark: partition.end, logEndOffset: partition.end };
  }

  #answer(baseOffset: number): ProduceResponse {
    return { baseOffset, logAppendTime: -1, logStartOffset: 0, durability: "power", throttleTimeMs: 0 };
  }

  /** Once is enough, and harder to see. */
  #lies(lie: Lie): boolean {
    if (this.#lie !== lie || this.#hasLied) return false;
    this.#hasLied = true;
    return true;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
