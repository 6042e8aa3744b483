/** A broker that keeps batches in arrays, decodes what it is given, and answers when and how a test says. */
import type { Broker, ProduceRequest, ProduceResponse, TopicMetadata } from "../../src/api/broker.ts";
import type { Bytes } from "../../src/api/bytes.ts";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import type { Core } from "../../src/core/core.ts";

export interface KeptRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Bytes | null;
  readonly value: Bytes | null;
  readonly headers: readonly (readonly [string, Bytes | null])[];
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
}

export class FakeBroker {
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
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The port, for wiring: calls that a producer has no business with are not there. */
  get port(): Broker {
    return this as unknown as Broker;
  }

  makeTopic(name: string, partitionCount: number, maxMessageBytes = 1_048_588): void {
    this.topics.set(name, {
      metadata: { name, topicId: "x", internal: false, partitionCount, maxMessageBytes, requiresKey: false },
      partitions: Array.from({ length: partitionCount }, () => []),
    });
  }

  addPartitions(name: string, partitionCount: number): void {
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

  async produce(request: ProduceRequest): Promise<ProduceResponse> {
    const { topic, partition, acks, clientId } = request;
    const verdict = this.#core.validate(request.batch);
    if (verdict.problem !== null) throw new Error(`a batch was sent with a wrong ${verdict.problem} at ${verdict.position}`);
    const batch = request.batch.slice();
    // As a log does: offset and epoch are stamped into the lent bytes.
    request.batch.fill(0xee, 0, 16);
    const header = readBatchHeader(batch);
    const seen: SeenBatch = { topic, partition, recordCount: header.recordCount, byteLength: batch.length, acks, clientId };
    const refusal = this.refuse(seen);
    if (refusal !== null) throw refusal;
    const kept = this.records(topic, partition);
    const baseOffset = kept.length;
    if (header.baseOffset !== 0 || header.producerId !== -1n)
      throw new Error("a batch must come with base offset 0 and without producer id");
    if (batch.length > this.#topic(topic).metadata.maxMessageBytes) throw new Error(`a batch of ${batch.length} bytes was sent`);
    const cursor = new RecordCursor(batch);
    while (cursor.next()) {
      kept.push({
        offset: baseOffset + cursor.offset,
        timestamp: cursor.timestamp,
        key: own(cursor.key()),
        value: own(cursor.value()),
        headers: cursor.decodeHeaders().map(([name, value]) => [new TextDecoder("utf-8", { ignoreBOM: true }).decode(name), own(value)]),
      });
    }
    this.batches.push(seen);
    await this.onProduce(seen);
    return { baseOffset, logAppendTime: this.logAppendTime, logStartOffset: 0, durability: this.durability, throttleTimeMs: 0 };
  }

  #topic(name: string): FakeTopic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new Error(`no topic ${name} in the fake broker`);
    return topic;
  }
}

function own(bytes: Uint8Array | null): Bytes | null {
  return bytes === null ? null : new Uint8Array(bytes);
}
