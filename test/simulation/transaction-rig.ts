/** Transactional producers over the broker port, and what a reader of committed records is given. */
import type { ProducerIdentity } from "../../src/api/broker.ts";
import { batchByteLengthAt, isControl, readBatchHeader } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import { AbortedFilter } from "../../src/consumer/aborted-filter.ts";
import type { Life } from "./engine-rig.ts";

export const TIMEOUT_MS = 60_000;
const text = new TextEncoder();

/** One transactional id as one producer has it, doing what a client does: sequences, and each partition added before its first batch. */
export class TestProducer {
  readonly #life: Life;
  readonly id: string;
  identity: ProducerIdentity = { producerId: -1n, producerEpoch: -1 };
  #added: Set<string> = new Set();
  #sequences: Map<string, number> = new Map();

  constructor(life: Life, id: string) {
    this.#life = life;
    this.id = id;
  }

  get #who(): ProducerIdentity & { readonly transactionalId: string } {
    return { transactionalId: this.id, ...this.identity };
  }

  async init(timeoutMs: number = TIMEOUT_MS): Promise<this> {
    this.#become(await this.#life.engine.initProducerId({ transactionalId: this.id, transactionTimeoutMs: timeoutMs }));
    return this;
  }

  add(topic: string, partition: number): Promise<void> {
    return this.#life.engine.addPartitions({ ...this.#who, partitions: [{ topic, partition }] });
  }

  /** Resolves with the base offset when acknowledged. */
  async send(topic: string, partition: number, ...values: string[]): Promise<number> {
    const key = `${topic}/${partition}`;
    if (!this.#added.has(key)) {
      await this.add(topic, partition);
      this.#added.add(key);
    }
    return await this.produce(topic, partition, ...values);
  }

  /** Without a word to the coordinator. */
  async produce(topic: string, partition: number, ...values: string[]): Promise<number> {
    const { engine, clock } = this.#life;
    const key = `${topic}/${partition}`;
    const baseSequence = this.#sequences.get(key) ?? 0;
    engine.core.writer.begin({ ...this.identity, baseSequence, transactional: true });
    for (const value of values) engine.core.writer.append(null, text.encode(value), null, clock.now());
    const batch = engine.core.writer.finish();
    const produced = engine.produce({ topic, partition, batch, acks: "all", transactionalId: this.id });
    const { baseOffset } = await produced;
    this.#sequences.set(key, baseSequence + values.length);
    return baseOffset;
  }

  async commitOffset(groupId: string, topic: string, partition: number, nextOffset: number): Promise<void> {
    await this.#life.engine.addOffsets({ ...this.#who, groupId });
    const offsets = [{ topic, partition, nextOffset, leaderEpoch: -1, metadata: "" }];
    const member = { groupId, memberId: "", groupInstanceId: null, generation: -1 };
    await this.#life.engine.commitOffsets({ ...this.#who, ...member, offsets });
  }

  async end(commit: boolean): Promise<void> {
    // Whatever is answered: to name a partition again harms nobody.
    this.#added.clear();
    this.#become(await this.#life.engine.endTransaction({ ...this.#who, commit }));
  }

  #become(identity: ProducerIdentity): void {
    if (identity.producerId !== this.identity.producerId || identity.producerEpoch !== this.identity.producerEpoch) this.#sequences.clear();
    if (identity.producerEpoch !== this.identity.producerEpoch) this.#added.clear();
    this.identity = identity;
  }
}

/** All that a reader of committed records is given, up to the last stable offset; throws where the log says more than it gives. */
export async function readCommitted({ engine }: Life, topic: string, partition: number): Promise<string[]> {
  const values: string[] = [];
  const listed = (await engine.listOffsets({ partitions: [{ topic, partition, at: "earliest" }], isolation: "readCommitted" }))[0]!;
  if (listed.fault !== null) throw new Error(`${topic}-${partition}: ${listed.fault.code}: ${listed.fault.message}`);
  let offset = listed.watermarks.logStartOffset;
  for (;;) {
    const wanted = [{ topic, partition, offset, maxBytes: 700 }];
    const answer = (await engine.fetch({ partitions: wanted, minBytes: 0, maxWaitMs: 0, maxBytes: 700, isolation: "readCommitted" }))
      .partitions[0]!;
    if (answer.fault !== null) throw new Error(`${topic}-${partition} at ${offset}: ${answer.fault.code}: ${answer.fault.message}`);
    const { batches, abortedTransactions, watermarks } = answer;
    if (batches.length === 0) {
      if (offset !== watermarks.lastStableOffset)
        throw new Error(`${topic}-${partition}: nothing at ${offset}, the last stable offset is ${watermarks.lastStableOffset}`);
      return values;
    }
    const filter = new AbortedFilter(abortedTransactions);
    for (let at = 0; at < batches.length; at += batchByteLengthAt(batches, at)) {
      const { attributes, lastOffset } = readBatchHeader(batches, at);
      const isDropped = filter.drops(batches, at, attributes, lastOffset) || isControl(attributes);
      const cursor = new RecordCursor(batches, at);
      while (!isDropped && cursor.next()) {
        const value = new TextDecoder().decode(batches.subarray(cursor.valueStart, cursor.valueStart + cursor.valueLength));
        if (cursor.offset >= offset) values.push(value);
      }
      offset = Math.max(offset, lastOffset + 1);
    }
  }
}

/** How much of a partition nobody may read yet: 0 where no transaction is open. */
export async function unstable({ engine }: Life, topic: string, partition: number): Promise<number> {
  const { partitions } = engine.describeTopic(topic);
  const { logEndOffset, lastStableOffset } = partitions[partition]!;
  return logEndOffset - lastStableOffset;
}

export async function committedOffset({ engine }: Life, groupId: string, topic: string, partition: number): Promise<number | null> {
  const [found] = await engine.offsetFetch({ groupId, partitions: [{ topic, partition }] });
  return found?.nextOffset ?? null;
}
