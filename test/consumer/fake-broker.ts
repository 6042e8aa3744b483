/** A broker in memory for the consumer's tests: real batches, the real group coordinator, and faults on demand. */
import type {
  CommittedOffset,
  Fault,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  GroupSnapshot,
  HeartbeatRequest,
  JoinGroupRequest,
  LeaveGroupRequest,
  ListedOffset,
  ListOffsetsRequest,
  OffsetCommitRequest,
  ProduceResponse,
  SyncGroupRequest,
  TopicMetadata,
} from "../../src/api/broker.ts";
import type { Bytes, TopicPartition, Watermarks } from "../../src/api/bytes.ts";
import type { TopicConfig } from "../../src/api/topic.ts";
import { type Clock, type Random, systemClock, systemRandom } from "../../src/base/clock.ts";
import { faultFromError, GroupError, type OdradekError, OffsetError, UsageError } from "../../src/base/errors.ts";
import { nearestName } from "../../src/base/nearest-name.ts";
import { readBatchHeader, stampBatch } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { Compression } from "../../src/compression/compression.ts";
import type { ConsumerBroker } from "../../src/consumer/consumer-broker.ts";
import type { Core } from "../../src/core/core.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { GroupCoordinator } from "../../src/group/coordinator.ts";
import { compressionOf } from "../compression/support.ts";
import { slowBatchBytes } from "../core/twin/batch.ts";

export interface FakeRecord {
  readonly key?: Uint8Array | string | null;
  readonly value?: Uint8Array | string | null;
  readonly headers?: readonly (readonly [name: string, value: Uint8Array | string | null])[];
  readonly timestamp?: number;
}

interface StoredBatch {
  readonly bytes: Bytes;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

class FakePartition {
  batches: StoredBatch[] = [];
  logStartOffset = 0;
  endOffset = 0;
  /** First offsets of open transactions, by producer. */
  readonly open: Map<bigint, number> = new Map();
  readonly aborted: { producerId: bigint; firstOffset: number; lastOffset: number }[] = [];
  /** Answered in place of the batch that holds `at`. */
  fault: { readonly at: number; readonly error: OdradekError } | null = null;

  get watermarks(): Watermarks {
    const lastStableOffset = Math.min(this.endOffset, ...this.open.values());
    return { logStartOffset: this.logStartOffset, lastStableOffset, highWatermark: this.endOffset, logEndOffset: this.endOffset };
  }
}

const encoder = new TextEncoder();
const bytesOf = (value: Uint8Array | string | null | undefined): Uint8Array | null =>
  value === undefined || value === null ? null : typeof value === "string" ? encoder.encode(value) : value;

export class FakeBroker implements ConsumerBroker {
  readonly clock: Clock;
  readonly core: Core;
  readonly compression: Compression;
  readonly fetches: FetchRequest[] = [];
  readonly commits: OffsetCommitRequest[] = [];
  readonly events: { readonly type: string; readonly [field: string]: unknown }[] = [];
  readonly coordinator: GroupCoordinator;
  readonly committed: Map<string, Map<string, number>> = new Map();
  /** Met by the next fetch as a whole. */
  nextFetchError: Error | null = null;
  /** Met by the next commit. */
  nextCommitError: Error | null = null;
  /** Fetches that wait now. */
  waitingCount = 0;
  readonly #topics: Map<string, FakePartition[]> = new Map();
  #topicCount = 0;
  readonly #topicIds: Map<string, string> = new Map();
  #progress: Set<() => void> = new Set();

  constructor(core: Core, clock: Clock, random: Random) {
    this.core = core;
    this.compression = compressionOf(core);
    this.clock = clock;
    const emit = (type: string, fields: object): void => void this.events.push({ ...fields, type });
    this.coordinator = new GroupCoordinator({ clock, random, save: async () => {}, emit });
  }

  static async create(clock: Clock = systemClock, random: Random = systemRandom): Promise<FakeBroker> {
    return new FakeBroker(await loadCore(), clock, random);
  }

  // ── What tests do ──────────────────────────────────────────────────────────

  addTopic(topic: string, partitions = 1): void {
    const list = this.#topics.get(topic) ?? [];
    while (list.length < partitions) list.push(new FakePartition());
    this.#topics.set(topic, list);
    if (!this.#topicIds.has(topic)) this.#topicIds.set(topic, `${topic}#${this.#topicCount++}`);
  }

  removeTopic(topic: string): void {
    this.#topics.delete(topic);
    this.#topicIds.delete(topic);
    this.#moved();
  }

  partition({ topic, partition }: TopicPartition): FakePartition {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw new UsageError("UNKNOWN_TOPIC_OR_PARTITION", `there is no ${topic}-${partition}`);
    return found;
  }

  /** One batch; answers its first offset. */
  append(at: TopicPartition, records: readonly FakeRecord[], options: { producerId?: bigint; transactional?: boolean } = {}): number {
    const { writer } = this.core;
    const { producerId = -1n, transactional = false } = options;
    writer.begin({ producerId, producerEpoch: producerId < 0n ? -1 : 0, baseSequence: producerId < 0n ? -1 : 0, transactional });
    for (const { key, value, headers, timestamp } of records) {
      const encoded = headers?.map(([name, header]) => [encoder.encode(name), bytesOf(header)] as const) ?? null;
      writer.append(bytesOf(key), bytesOf(value), encoded, timestamp ?? 1000);
    }
    const partition = this.partition(at);
    if (transactional && !partition.open.has(producerId)) partition.open.set(producerId, partition.endOffset);
    return this.appendBatch(at, new Uint8Array(writer.finish()));
  }

  /** `count` batches of one record each, with values `from`, `from + 1`, … as text. */
  appendSingles(at: TopicPartition, count: number, from = 0): void {
    for (let index = 0; index < count; index++) this.append(at, [{ key: `k${from + index}`, value: String(from + index) }]);
  }

  /** A batch with holes, as compaction leaves them: the records' offset deltas are given. */
  appendSparse(at: TopicPartition, deltas: readonly number[], lastOffsetDelta: number, options: { baseTimestamp?: bigint } = {}): number {
    const baseTimestamp = options.baseTimestamp ?? 1000n;
    const batch = slowBatchBytes({
      baseOffset: 0n,
      leaderEpoch: -1,
      attributes: 0,
      lastOffsetDelta,
      baseTimestamp,
      maxTimestamp: baseTimestamp,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      records: deltas.map((offsetDelta) => ({
        offsetDelta,
        timestampDelta: 0n,
        key: encoder.encode(`k${offsetDelta}`),
        value: encoder.encode(String(offsetDelta)),
        headers: [],
      })),
    });
    return this.appendBatch(at, batch);
  }

  appendBatch(at: TopicPartition, bytes: Bytes): number {
    const partition = this.partition(at);
    const baseOffset = partition.endOffset;
    stampBatch(bytes, baseOffset, 0);
    const { lastOffset } = readBatchHeader(bytes);
    partition.batches.push({ bytes, baseOffset, lastOffset });
    partition.endOffset = lastOffset + 1;
    this.#moved();
    return baseOffset;
  }

  /** The marker that ends a producer's open transaction. */
  endTransactionOf(at: TopicPartition, producerId: bigint, commit: boolean): void {
    const partition = this.partition(at);
    const markerOffset = partition.endOffset;
    const firstOffset = partition.open.get(producerId);
    partition.open.delete(producerId);
    if (!commit && firstOffset !== undefined) partition.aborted.push({ producerId, firstOffset, lastOffset: markerOffset });
    const marker = slowBatchBytes({
      baseOffset: 0n,
      leaderEpoch: 0,
      attributes: 0x30,
      lastOffsetDelta: 0,
      baseTimestamp: 1000n,
      maxTimestamp: 1000n,
      producerId,
      producerEpoch: 0,
      baseSequence: -1,
      records: [
        {
          offsetDelta: 0,
          timestampDelta: 0n,
          key: new Uint8Array([0, 0, 0, commit ? 1 : 0]),
          value: new Uint8Array(6),
          headers: [],
        },
      ],
    });
    this.appendBatch(at, marker);
  }

  // ── Records ────────────────────────────────────────────────────────────────

  async produce(): Promise<ProduceResponse> {
    throw new Error("a consumer does not produce");
  }

  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    this.fetches.push(request);
    const deadlineMs = this.clock.monotonic() + request.maxWaitMs;
    for (;;) {
      signal?.throwIfAborted();
      if (this.nextFetchError !== null) {
        const error = this.nextFetchError;
        this.nextFetchError = null;
        throw error;
      }
      const partitions = this.#readAll(request);
      const byteLength = partitions.reduce((sum, each) => sum + each.batches.byteLength, 0);
      const leftMs = deadlineMs - this.clock.monotonic();
      if (byteLength >= request.minBytes || leftMs <= 0 || partitions.some(({ fault }) => fault !== null))
        return { partitions, throttleTimeMs: 0 };
      await this.#wait(leftMs, signal);
    }
  }

  #readAll(request: FetchRequest): FetchedPartition[] {
    let leftBytes = request.maxBytes;
    return request.partitions.map((wanted) => {
      const answer = this.#read(
        wanted,
        Math.min(leftBytes, wanted.maxBytes),
        leftBytes === request.maxBytes,
        request.isolation === "readCommitted",
      );
      leftBytes -= answer.batches.byteLength;
      return answer;
    });
  }

  #read(at: TopicPartition & { offset: number }, maxBytes: number, isFirst: boolean, readCommitted: boolean): FetchedPartition {
    const { topic, partition: number, offset } = at;
    const nothing = { topic, partition: number, abortedTransactions: [], batches: new Uint8Array(0) };
    const none: Watermarks = { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 };
    try {
      const partition = this.partition(at);
      const { watermarks } = partition;
      if (offset < partition.logStartOffset || offset > partition.endOffset) {
        throw new OffsetError("OFFSET_OUT_OF_RANGE", `${topic}-${number}: offset ${offset} is out of range`, { range: watermarks });
      }
      const end = readCommitted ? watermarks.lastStableOffset : partition.endOffset;
      const found: StoredBatch[] = [];
      let byteLength = 0;
      for (const batch of partition.batches.slice(firstAtOrBehind(partition.batches, offset))) {
        if (batch.lastOffset >= end) break;
        if (partition.fault !== null && offset <= partition.fault.at && batch.lastOffset >= partition.fault.at) break;
        if (byteLength + batch.bytes.byteLength > maxBytes && !(isFirst && byteLength === 0)) break;
        found.push(batch);
        byteLength += batch.bytes.byteLength;
      }
      if (found.length === 0 && partition.fault !== null && offset <= partition.fault.at && partition.fault.at < end)
        throw partition.fault.error;
      const batches = new Uint8Array(byteLength);
      let position = 0;
      for (const { bytes } of found) {
        batches.set(bytes, position);
        position += bytes.byteLength;
      }
      const upTo = found.at(-1)?.lastOffset ?? offset - 1;
      const abortedTransactions = readCommitted
        ? partition.aborted
            .filter((each) => each.lastOffset >= offset && each.firstOffset <= upTo)
            .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
            .sort((a, b) => a.firstOffset - b.firstOffset)
        : [];
      return { topic, partition: number, fault: null, watermarks, abortedTransactions, batches };
    } catch (error) {
      return { ...nothing, watermarks: none, fault: faultFromError(error) };
    }
  }

  async listOffsets({ partitions, isolation }: ListOffsetsRequest): Promise<readonly ListedOffset[]> {
    return partitions.map(({ topic, partition, at }) => {
      try {
        const found = this.partition({ topic, partition });
        const { watermarks } = found;
        const ends = {
          earliest: watermarks.logStartOffset,
          latest: isolation === "readCommitted" ? watermarks.lastStableOffset : watermarks.highWatermark,
        };
        if (typeof at === "string") return { topic, partition, fault: null, offset: ends[at], timestamp: -1, watermarks };
        for (const { bytes } of found.batches) {
          const cursor = new RecordCursor(bytes);
          while (cursor.next()) {
            if (cursor.timestamp < at) continue;
            return { topic, partition, fault: null, offset: cursor.offset, timestamp: cursor.timestamp, watermarks };
          }
        }
        return { topic, partition, fault: null, offset: null, timestamp: -1, watermarks };
      } catch (error) {
        const none: Watermarks = { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0 };
        return { topic, partition, fault: faultFromError(error), offset: null, timestamp: -1, watermarks: none };
      }
    });
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    this.waitingCount += 1;
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#progress.delete(done);
        signal?.removeEventListener("abort", done);
        this.waitingCount -= 1;
        resolve();
      };
      const timer = this.clock.after(ms, done, true);
      this.#progress.add(done);
      signal?.addEventListener("abort", done);
    });
  }

  #moved(): void {
    for (const done of [...this.#progress]) done();
  }

  // ── Topics ─────────────────────────────────────────────────────────────────

  async metadata(topics: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    return [...this.#topics]
      .filter(([name]) => topics === null || topics.includes(name))
      .map(([name, partitions]) => ({
        name,
        topicId: this.#topicIds.get(name) ?? "",
        internal: name.startsWith("__"),
        partitionCount: partitions.length,
        maxMessageBytes: 1 << 20,
        requiresKey: false,
      }));
  }

  async createTopic(): Promise<TopicMetadata> {
    throw new Error("a consumer does not create topics");
  }
  async deleteTopic(): Promise<void> {}
  async createPartitions(): Promise<void> {}

  async describeConfig(topic: string): Promise<Readonly<TopicConfig>> {
    if (!this.#topics.has(topic)) {
      const near = nearestName(topic, [...this.#topics.keys()]);
      throw new UsageError("UNKNOWN_TOPIC_OR_PARTITION", `there is no topic "${topic}"${near === null ? "" : `; did you mean "${near}"?`}`);
    }
    return {} as TopicConfig;
  }

  async alterConfig(): Promise<void> {}
  async deleteRecords(): Promise<number> {
    return 0;
  }

  // ── Groups ─────────────────────────────────────────────────────────────────

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): ReturnType<ConsumerBroker["joinGroup"]> {
    return this.coordinator.joinGroup(request, signal);
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): ReturnType<ConsumerBroker["syncGroup"]> {
    return this.coordinator.syncGroup(request, signal);
  }

  heartbeat(request: HeartbeatRequest, signal?: AbortSignal): ReturnType<ConsumerBroker["heartbeat"]> {
    return this.coordinator.heartbeat(request, signal);
  }

  leaveGroup(request: LeaveGroupRequest): Promise<void> {
    return this.coordinator.leaveGroup(request);
  }

  async offsetCommit(request: OffsetCommitRequest): Promise<readonly (TopicPartition & { readonly fault: Fault | null })[]> {
    if (this.nextCommitError !== null) {
      const error = this.nextCommitError;
      this.nextCommitError = null;
      throw error;
    }
    this.coordinator.checkCommit(request);
    this.commits.push(request);
    const group = this.committed.get(request.groupId) ?? new Map<string, number>();
    this.committed.set(request.groupId, group);
    return request.offsets.map(({ topic, partition, nextOffset }) => {
      try {
        this.partition({ topic, partition });
        group.set(`${topic}-${partition}`, nextOffset);
        return { topic, partition, fault: null };
      } catch (error) {
        return { topic, partition, fault: faultFromError(error) };
      }
    });
  }

  /** For assertions. */
  committedOf(groupId: string, { topic, partition }: TopicPartition): number | null {
    return this.committed.get(groupId)?.get(`${topic}-${partition}`) ?? null;
  }

  async offsetFetch({
    groupId,
    partitions,
  }: {
    readonly groupId: string;
    readonly partitions: readonly TopicPartition[] | null;
  }): Promise<readonly CommittedOffset[]> {
    return (partitions ?? []).map(({ topic, partition }) => ({
      topic,
      partition,
      nextOffset: this.committedOf(groupId, { topic, partition }),
      leaderEpoch: -1,
      metadata: "",
    }));
  }

  async listGroups(): Promise<readonly string[]> {
    return [...this.coordinator.groupIds()];
  }

  async describeGroup(groupId: string): Promise<GroupSnapshot> {
    const snapshot = this.coordinator.describe(groupId);
    if (snapshot === null) throw new GroupError("GROUP_ID_NOT_FOUND", `there is no group "${groupId}"`);
    return snapshot;
  }

  async deleteGroup(): Promise<void> {}
  async deleteOffsets(): Promise<void> {}
}

/** The index of the first batch that ends at or behind `offset`. */
function firstAtOrBehind(batches: readonly StoredBatch[], offset: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((batches[middle]?.lastOffset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
