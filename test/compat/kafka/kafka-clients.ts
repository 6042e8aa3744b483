/** Kafka's own clients of a broker, as Clients.java keeps them in one JVM. */
import type { RawRecord } from "./record-hash.ts";
import { AskedProgram } from "./rig.ts";
import type { Clients, NewRecord, Place, Writer, WriterSettings } from "./workload.ts";

export type Isolation = "read_committed" | "read_uncommitted";

export interface GroupOffset {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly metadata?: string;
}
export interface ReadPartition {
  readonly topic: string;
  readonly partition: number;
  readonly startOffset: number;
  /** Under "read_committed" the last stable offset. */
  readonly endOffset: number;
  readonly records: readonly RawRecord[];
}
export interface BrokerProducer {
  readonly topic: string;
  readonly partition: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly timestamp: number;
  readonly coordinatorEpoch: number;
  readonly currentTxnFirstOffset: number;
}
export interface BrokerTransaction {
  readonly transactionalId: string;
  readonly state: string;
  readonly producerId: number;
  readonly producerEpoch: number;
}

type JsonHeader = readonly [name: string, value: string | null];
interface JsonRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly JsonHeader[];
}

export class KafkaClients implements Clients {
  readonly #program: AskedProgram;
  #producerCount = 0;

  constructor(bootstrap: string) {
    this.#program = new AskedProgram("Clients", [bootstrap]);
  }

  /** Producers that are still open are dropped as by a kill: what they had begun stays open. */
  close(): Promise<void> {
    return this.#program.close();
  }

  async createTopic(topic: string, partitions: number, config: Readonly<Record<string, string | number>>): Promise<string> {
    return ((await this.#ask("create", { topic, partitions, config })) as { readonly topicId: string }).topicId;
  }

  async writer({ compressionType, transactionalId, ...settings }: WriterSettings): Promise<Writer> {
    this.#producerCount += 1;
    const producer = `p${this.#producerCount}`;
    const all = {
      ...settings,
      "compression.type": compressionType ?? "none",
      // The longest that a broker allows: one left open must outlast the test.
      ...(transactionalId === undefined ? {} : { "transactional.id": transactionalId, "transaction.timeout.ms": 900_000 }),
    };
    await this.#ask("producer", { producer, settings: all });
    const tell = async (word: string): Promise<void> => void (await this.#ask(word, { producer }));
    return {
      begin: () => tell("begin"),
      send: async (records: readonly NewRecord[]): Promise<readonly Place[]> => {
        const asked = records.map((record) => ({
          ...record,
          key: base64(record.key),
          value: base64(record.value),
          headers: record.headers.map(([name, value]) => [name, base64(value)]),
        }));
        return ((await this.#ask("send", { producer, records: asked })) as { readonly sent: readonly Place[] }).sent;
      },
      sendOffsets: async (group, offsets) => void (await this.#ask("sendOffsets", { producer, group, offsets })),
      end: (commit) => tell(commit ? "commit" : "abort"),
      close: () => tell("close"),
    };
  }

  async commitOffsets(group: string, offsets: readonly GroupOffset[]): Promise<void> {
    await this.#ask("commitOffsets", { group, offsets });
  }

  async read(topics: readonly string[], isolation: Isolation): Promise<readonly ReadPartition[]> {
    const { partitions } = (await this.#ask("read", { topics, settings: { "isolation.level": isolation } })) as {
      readonly partitions: readonly (Omit<ReadPartition, "records"> & { readonly records: readonly JsonRecord[] })[];
    };
    return partitions
      .map(({ records, ...partition }) => ({ ...partition, records: records.map(rawRecord) }))
      .sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
  }

  async offsets(group: string): Promise<readonly GroupOffset[]> {
    return ((await this.#ask("offsets", { group })) as { readonly offsets: readonly GroupOffset[] }).offsets;
  }

  async producers(topics: readonly string[]): Promise<readonly BrokerProducer[]> {
    return ((await this.#ask("producers", { topics })) as { readonly producers: readonly BrokerProducer[] }).producers;
  }

  async transactions(): Promise<readonly BrokerTransaction[]> {
    return ((await this.#ask("transactions", {})) as { readonly transactions: readonly BrokerTransaction[] }).transactions;
  }

  #ask(word: string, fields: object): Promise<unknown> {
    return this.#program.ask(JSON.stringify({ do: word, ...fields }));
  }
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString("base64");
}

function rawRecord({ offset, timestamp, key, value, headers }: JsonRecord): RawRecord {
  return {
    offset,
    timestamp,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map(([name, each]) => [name, bytesOf(each)] as RawRecord["headers"][number]),
  };
}

function bytesOf(text: string | null): Uint8Array<ArrayBuffer> | null {
  return text === null ? null : new Uint8Array(Buffer.from(text, "base64"));
}
