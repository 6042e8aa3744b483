/** A broker that keeps batches in arrays, decodes what it is given, and answers when and how a test says. */
import type {
  OffsetCommitRequest,
  ProduceRequest,
  ProduceResponse,
  ProducerIdentity,
  TopicMetadata,
  TransactionIdentity,
} from "../../src/api/broker.ts";
import type { Bytes, TopicPartition } from "../../src/api/bytes.ts";
import { ProducerStateError } from "../../src/base/errors.ts";
import { type BatchHeader, codecNumber, isTransactional, readBatchHeader } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { Compression } from "../../src/compression/compression.ts";
import type { Core } from "../../src/core/core.ts";
import type { ProducerBroker } from "../../src/producer/producer-broker.ts";
import { compressionOf } from "../compression/support.ts";

export interface KeptRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Bytes | null;
  readonly value: Bytes | null;
  readonly headers: readonly (readonly [string, Bytes | null])[];
}

export interface FakeTransaction {
  state: "open" | "committed" | "aborted";
}

interface Coordinated {
  identity: ProducerIdentity;
  transaction: FakeTransaction | null;
  partitions: Set<string>;
}

interface FakeTopic {
  metadata: TopicMetadata;
  readonly partitions: KeptRecord[][];
}

export interface SeenBatch {
  readonly topic: string;
  readonly partition: number;
  readonly recordCount: number;
  readonly byteLength: number;
  readonly acks: 1 | "all";
  readonly clientId: string | undefined;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly codec: number;
}

export class FakeBroker implements ProducerBroker {
  readonly topics = new Map<string, FakeTopic>();
  readonly batches: SeenBatch[] = [];
  metadataCalls = 0;
  /** Called for each batch after it was taken in; its promise is waited for before the answer. Throwing refuses the batch. */
  onProduce: (batch: SeenBatch) => Promise<void> | void = () => {};
  /** Called before a batch is taken in. */
  refuse: (batch: SeenBatch) => Error | null = () => null;
  onMetadata: () => Promise<void> | void = () => {};
  logAppendTime = -1;
  durability: ProduceResponse["durability"] = "power";
  /** Every call about identities and transactions, as a line. */
  readonly calls: string[] = [];
  /** Called before each of those; throwing refuses it. */
  onCall: (call: string) => Promise<void> | void = () => {};
  /** Called when such a call was carried out, before its answer. */
  onCalled: (call: string) => Promise<void> | void = () => {};
  readonly offsets: (OffsetCommitRequest | Omit<OffsetCommitRequest, "durable">)[] = [];
  /** Of ids given out from now on. */
  firstEpoch = 0;
  readonly #core: Core;
  readonly #compression: Compression;
  #nextProducerId = 1000n;
  #topicCount = 0;
  /** By topic, partition and producer: epoch and the sequence that is due. */
  readonly #producers = new Map<string, { epoch: number; next: number }>();
  /** The transaction that a record is part of. */
  readonly #transactions = new WeakMap<KeptRecord, FakeTransaction>();
  readonly #coordinated = new Map<string, Coordinated>();

  constructor(core: Core) {
    this.#core = core;
    this.#compression = compressionOf(core);
  }

  makeTopic(name: string, partitionCount: number, maxMessageBytes = 1_048_588, requiresKey = false): void {
    for (const key of this.#producers.keys()) if (key.startsWith(`${name}-`)) this.#producers.delete(key);
    this.topics.set(name, {
      metadata: { name, topicId: `${name}#${this.#topicCount++}`, internal: false, partitionCount, maxMessageBytes, requiresKey },
      partitions: Array.from({ length: partitionCount }, () => []),
    });
  }

  growTopic(name: string, partitionCount: number): void {
    const topic = this.#topic(name);
    topic.metadata = { ...topic.metadata, partitionCount };
    while (topic.partitions.length < partitionCount) topic.partitions.push([]);
  }

  records(topic: string, partition = 0): KeptRecord[] {
    return this.#topic(topic).partitions[partition] as KeptRecord[];
  }

  values(topic: string, partition = 0): (string | null)[] {
    return this.records(topic, partition).map(({ value }) => (value === null ? null : new TextDecoder().decode(value)));
  }

  async metadata(names: readonly string[] | null): Promise<TopicMetadata[]> {
    this.metadataCalls += 1;
    await this.onMetadata();
    return (names ?? [...this.topics.keys()]).flatMap((name) => this.topics.get(name)?.metadata ?? []);
  }

  /** What a reader of committed records sees. */
  committedValues(topic: string, partition = 0): (string | null)[] {
    const isCommitted = (record: KeptRecord): boolean => (this.#transactions.get(record)?.state ?? "committed") === "committed";
    return this.values(topic, partition).filter((_, index) => isCommitted(this.records(topic, partition)[index] as KeptRecord));
  }

  async produce(request: ProduceRequest): Promise<ProduceResponse> {
    const { topic, partition, acks, clientId } = request;
    const own = request.batch.slice();
    // As a log does: offset and epoch are stamped into the lent bytes.
    request.batch.fill(0xee, 0, 16);
    const stored = readBatchHeader(own);
    const batch = this.#compression.decompressBatch(own);
    const verdict = this.#core.validate(batch);
    if (verdict.problem !== null) throw new Error(`a batch was sent with a wrong ${verdict.problem} at ${verdict.position}`);
    const header = readBatchHeader(batch);
    const { recordCount, producerId, producerEpoch, baseSequence } = header;
    const seen: SeenBatch = {
      topic,
      partition,
      recordCount,
      byteLength: batch.length,
      acks,
      clientId,
      producerId,
      producerEpoch,
      baseSequence,
      codec: codecNumber(stored.attributes),
    };
    const transaction = this.#transactionOf(request, header);
    const take = this.#checkSequence(topic, partition, header);
    const refusal = this.refuse(seen);
    if (refusal !== null) throw refusal;
    take?.((baseSequence + recordCount) % 2 ** 31);
    const kept = this.records(topic, partition);
    const baseOffset = kept.length;
    if (header.baseOffset !== 0) throw new Error("a batch must come with base offset 0");
    if (batch.length > this.#topic(topic).metadata.maxMessageBytes) throw new Error(`a batch of ${batch.length} bytes was sent`);
    const cursor = new RecordCursor(batch);
    while (cursor.next()) {
      kept.push({
        offset: baseOffset + cursor.offset,
        timestamp: cursor.timestamp,
        key: copied(cursor.key()),
        value: copied(cursor.value()),
        headers: cursor.decodeHeaders().map(([name, value]) => [new TextDecoder("utf-8", { ignoreBOM: true }).decode(name), copied(value)]),
      });
      if (transaction !== null) this.#transactions.set(kept.at(-1) as KeptRecord, transaction);
    }
    this.batches.push(seen);
    await this.onProduce(seen);
    return { baseOffset, logAppendTime: this.logAppendTime, logStartOffset: 0, durability: this.durability, throttleTimeMs: 0 };
  }

  // ── Identities and transactions ────────────────────────────────────────────

  async initProducerId({ transactionalId }: { readonly transactionalId: string | null }): Promise<ProducerIdentity> {
    await this.#called(`init ${transactionalId}`);
    if (transactionalId === null) return { producerId: this.#nextProducerId++, producerEpoch: this.firstEpoch };
    const known = this.#coordinated.get(transactionalId);
    if (known?.transaction?.state === "open") known.transaction.state = "aborted";
    const identity =
      known === undefined
        ? { producerId: this.#nextProducerId++, producerEpoch: this.firstEpoch }
        : { producerId: known.identity.producerId, producerEpoch: known.identity.producerEpoch + 1 };
    this.#coordinated.set(transactionalId, { identity, transaction: null, partitions: new Set() });
    return identity;
  }

  async addPartitions({ partitions, ...who }: TransactionIdentity & { readonly partitions: readonly TopicPartition[] }): Promise<void> {
    const names = partitions.map(({ topic, partition }) => `${topic}-${partition}`);
    const call = `add ${names.join(" ")}`;
    await this.#called(call);
    const known = this.#mine(who);
    known.transaction ??= { state: "open" };
    for (const name of names) known.partitions.add(name);
    await this.onCalled(call);
  }

  async addOffsets({ groupId, ...who }: TransactionIdentity & { readonly groupId: string }): Promise<void> {
    await this.#called(`addOffsets ${groupId}`);
    this.#mine(who).transaction ??= { state: "open" };
  }

  async commitOffsets(request: TransactionIdentity & Omit<OffsetCommitRequest, "durable">): Promise<void> {
    await this.#called(
      `offsets ${request.groupId} ${request.offsets.map(({ topic, partition, nextOffset }) => `${topic}-${partition}@${nextOffset}`).join(" ")}`,
    );
    if (this.#mine(request).transaction?.state !== "open") throw new ProducerStateError("INVALID_TXN_STATE", "no transaction is open");
    this.offsets.push(request);
  }

  async endTransaction({ commit, ...who }: TransactionIdentity & { readonly commit: boolean }): Promise<ProducerIdentity> {
    const call = commit ? "commit" : "abort";
    await this.#called(call);
    const known = this.#mine(who);
    if (known.transaction?.state !== "open") throw new ProducerStateError("INVALID_TXN_STATE", "no transaction is open");
    known.transaction.state = commit ? "committed" : "aborted";
    known.transaction = null;
    known.partitions.clear();
    await this.onCalled(call);
    return known.identity;
  }

  async #called(call: string): Promise<void> {
    this.calls.push(call);
    await this.onCall(call);
  }

  #mine({ transactionalId, producerId, producerEpoch }: TransactionIdentity): Coordinated {
    const known = this.#coordinated.get(transactionalId);
    if (known === undefined || known.identity.producerId !== producerId)
      throw new ProducerStateError("INVALID_PRODUCER_ID_MAPPING", "another id");
    if (known.identity.producerEpoch !== producerEpoch) throw new ProducerStateError("PRODUCER_FENCED", "a newer producer has begun");
    return known;
  }

  #transactionOf({ topic, partition, transactionalId }: ProduceRequest, header: BatchHeader): FakeTransaction | null {
    if (isTransactional(header.attributes) !== (transactionalId !== undefined)) throw new Error("a transactional batch says so twice");
    if (transactionalId === undefined) return null;
    const known = this.#mine({ transactionalId, ...header });
    if (known.transaction === null || !known.partitions.has(`${topic}-${partition}`)) {
      throw new ProducerStateError("INVALID_TXN_STATE", `${topic}-${partition} is not in the transaction`);
    }
    return known.transaction;
  }

  /** Kafka's rules, but for duplicates: a producer that never sends twice is never answered twice. null: no producer id. */
  #checkSequence(
    topic: string,
    partition: number,
    { producerId, producerEpoch, baseSequence }: BatchHeader,
  ): ((next: number) => void) | null {
    if (producerId === -1n) {
      if (producerEpoch !== -1 || baseSequence !== -1) throw new Error("a batch without producer id came with epoch or sequence");
      return null;
    }
    const key = `${topic}-${partition}-${producerId}`;
    const known = this.#producers.get(key);
    if (known !== undefined && producerEpoch < known.epoch)
      throw new ProducerStateError("INVALID_PRODUCER_EPOCH", `${producerEpoch} after ${known.epoch}`);
    const due = known === undefined ? baseSequence : known.epoch === producerEpoch ? known.next : 0;
    if (baseSequence !== due)
      throw new ProducerStateError("OUT_OF_ORDER_SEQUENCE_NUMBER", `${key}: expected ${due}, found ${baseSequence}`);
    return (next) => this.#producers.set(key, { epoch: producerEpoch, next });
  }

  #topic(name: string): FakeTopic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new Error(`no topic ${name} in the fake broker`);
    return topic;
  }
}

function copied(bytes: Uint8Array | null): Bytes | null {
  return bytes === null ? null : new Uint8Array(bytes);
}
