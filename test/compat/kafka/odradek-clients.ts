/** The workload's hands on Odradek, through the face alone: what KafkaClients does at a broker. */
import * as zlib from "node:zlib";
import { bytes, type Consumer, type Odradek, type Options, type Sender, type TopicConfig, type Transaction } from "../../../src/index.ts";
import type { GroupOffset, Isolation } from "./kafka-clients.ts";
import { keep, type RawRecord } from "./record-hash.ts";
import { allCodecs, type Clients, type CodecName, type NewRecord, type Place, type Writer, type WriterSettings } from "./workload.ts";

/** Node writes zstd from 22.15 on; every runtime reads it. */
export const writableCodecs: readonly CodecName[] = allCodecs.filter((codec) => codec !== "zstd" || "zstdCompressSync" in zlib);

type BytesTransaction = Transaction<Uint8Array, Uint8Array, "all">;

export class OdradekClients implements Clients {
  readonly #log: Odradek;
  /** Ids that a broker gave to topics of these names. */
  readonly #topicIds: ReadonlyMap<string, string>;

  constructor(log: Odradek, topicIds: ReadonlyMap<string, string> = new Map()) {
    this.#log = log;
    this.#topicIds = topicIds;
  }

  async createTopic(topic: string, partitions: number, config: Readonly<Record<string, string | number>>): Promise<string> {
    const camelCase = (name: string): string => name.replace(/\.([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const settings = Object.fromEntries(Object.entries(config).map(([name, value]) => [camelCase(name), value])) as Options<TopicConfig>;
    // The records are years old.
    const all = { ...settings, partitions, topicId: this.#topicIds.get(topic), retentionMs: Number.POSITIVE_INFINITY };
    return (await this.#log.createTopic(topic, all)).topicId;
  }

  async writer({ compressionType, transactionalId }: WriterSettings): Promise<Writer> {
    const producer = this.#log.producer({ key: bytes, value: bytes, batchSize: 2000, compressionType, transactionalId });
    const consumers = new Map<string, Consumer<Uint8Array, Uint8Array>>();
    let open: OpenTransaction | null = null;
    return {
      begin: async () => {
        open = new OpenTransaction((body) => producer.transaction(body));
        await open.begun();
      },
      send: async (records) => sendAll(open?.sender ?? producer, records),
      sendOffsets: async (groupId, offsets) => {
        const consumer = consumers.get(groupId) ?? this.#log.consumer({ groupId, key: bytes, value: bytes, enableAutoCommit: false });
        consumers.set(groupId, consumer);
        await consumer.assign(offsets);
        for (const { topic, partition, nextOffset } of offsets) {
          consumer.seek({ topic, partition }, nextOffset - 1);
          const [delivered] = await consumer.poll({ maxRecords: 1, timeoutMs: 10_000 });
          if (delivered?.offset !== nextOffset - 1) throw new Error(`no record at ${nextOffset - 1}, found ${delivered?.offset}`);
          open?.sender?.commitOffsets(consumer, delivered);
        }
      },
      end: async (commit) => {
        await open?.end(commit);
        open = null;
      },
      close: async () => {
        for (const consumer of consumers.values()) await consumer.close();
        await producer.close();
      },
    };
  }

  async commitOffsets(groupId: string, offsets: readonly GroupOffset[]): Promise<void> {
    const consumer = this.#log.consumer({ groupId, key: bytes, value: bytes, enableAutoCommit: false });
    await consumer.assign(offsets);
    await consumer.commit(offsets, { durable: true });
    await consumer.close();
  }

  /** Everything that a topic shows under this isolation level, by partition. */
  async read(topic: string, isolation: Isolation): Promise<readonly (readonly RawRecord[])[]> {
    const { length } = (await this.#log.describeTopic(topic)).partitions;
    const isolationLevel = isolation === "read_committed" ? "readCommitted" : "readUncommitted";
    const consumer = this.#log.consumer({ key: bytes, value: bytes, isolationLevel });
    await consumer.assign(Array.from({ length }, (_, partition) => ({ topic, partition })));
    const records: RawRecord[][] = Array.from({ length }, () => []);
    for await (const record of consumer.records({ until: "end" })) records[record.partition]?.push(keep(record));
    await consumer.close();
    return records;
  }

  /** `topic partition nextOffset`, sorted. */
  async offsets(groupId: string): Promise<string[]> {
    const { offsets } = await this.#log.describeGroup(groupId);
    return offsets.map(({ topic, partition, nextOffset }) => `${topic} ${partition} ${nextOffset}`).sort();
  }
}

async function sendAll(sender: Sender<Uint8Array, Uint8Array, "all">, records: readonly NewRecord[]): Promise<readonly Place[]> {
  return Promise.all(records.map((record) => sender.send(record)));
}

/** A transaction whose body waits to be told how it ends. */
class OpenTransaction {
  sender: BytesTransaction | null = null;
  readonly #begun: Promise<void>;
  readonly #ended: Promise<void>;
  #end!: (commit: boolean) => void;

  constructor(transact: (body: (tx: BytesTransaction) => Promise<void>) => Promise<void>) {
    const told = new Promise<boolean>((resolve) => {
      this.#end = resolve;
    });
    let begin!: () => void;
    const entered = new Promise<void>((resolve) => {
      begin = resolve;
    });
    this.#ended = transact(async (tx) => {
      this.sender = tx;
      begin();
      if (!(await told)) throw new Aborted();
    }).catch((error: unknown) => {
      if (!(error instanceof Aborted)) throw error;
    });
    this.#begun = Promise.race([entered, this.#ended]);
  }

  begun(): Promise<void> {
    return this.#begun;
  }

  end(commit: boolean): Promise<void> {
    this.#end(commit);
    return this.#ended;
  }
}

class Aborted extends Error {}
