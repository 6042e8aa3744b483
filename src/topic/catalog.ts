/** The catalogue: which topics there are, from where on producer ids are free, and the clients' quotas. What it says on disk is the truth. */
import type { ClientQuota } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { StorageDriver } from "../api/storage-driver.ts";
import type { TopicConfig } from "../api/topic.ts";
import { OdradekError, UsageError } from "../base/errors.ts";
import type { Core } from "../core/core.ts";
import { isTopicName } from "../log/files/file-names.ts";
import { readWholeFile, replaceFile } from "../log/files/replace-file.ts";
import {
  CATALOG_BYTE_LENGTH_MAX,
  CATALOG_FILE,
  type CatalogContents,
  type CatalogTopic,
  decodeCatalog,
  encodeCatalog,
  isPartitionCount,
  QUOTA_COUNT_MAX,
} from "./catalog-file.ts";
import { validateConfig } from "./topic-config.ts";
import { isTopicId } from "./topic-id.ts";

export { CATALOG_FILE, type CatalogTopic } from "./catalog-file.ts";

/** As many as Kafka hands out at once. */
export const PRODUCER_ID_BLOCK_COUNT = 1000;

export interface NewCatalogTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly overrides: Readonly<Partial<TopicConfig>>;
  readonly adopted?: boolean;
}

/**
 * Changes are made one after another; each replaces the file whole and is durable when it resolves. What was answered
 * before never changes under the reader's hands. A change that rejects is not made here; whether the file holds it is
 * only known where the error came before the replacing.
 */
export class Catalog {
  readonly #storage: StorageDriver;
  readonly #core: Core;
  #topics: ReadonlyMap<string, CatalogTopic>;
  #deleting: readonly string[];
  #nextProducerId: bigint;
  #quotas: readonly ClientQuota[];
  /** What holds here, as the file should have it; null: no file. */
  #bytes: Bytes | null;
  #inDoubt = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(storage: StorageDriver, core: Core, contents: CatalogContents, bytes: Bytes | null) {
    this.#bytes = bytes;
    this.#storage = storage;
    this.#core = core;
    this.#topics = frozen(contents.topics);
    this.#deleting = contents.deleting;
    this.#nextProducerId = contents.nextProducerId;
    this.#quotas = contents.quotas;
  }

  /** Absent: empty. Throws `BOOK_CORRUPT` for a file that cannot be believed, and does not touch it. */
  static async load(storage: StorageDriver, core: Core): Promise<Catalog> {
    const bytes = await readWholeFile(storage, CATALOG_FILE, CATALOG_BYTE_LENGTH_MAX);
    const contents = bytes === null ? { topics: [], deleting: [], nextProducerId: 0n, quotas: [] } : decodeCatalog(bytes, core);
    return new Catalog(storage, core, contents, bytes);
  }

  /** Reads again what another process may have written; answers whether it had. Rejects like `load`. */
  async reread(): Promise<boolean> {
    const next = await Catalog.load(this.#storage, this.#core);
    if (sameBytes(this.#bytes, next.#bytes)) return false;
    this.#bytes = next.#bytes;
    this.#topics = next.#topics;
    this.#deleting = next.#deleting;
    this.#nextProducerId = next.#nextProducerId;
    this.#quotas = next.#quotas;
    return true;
  }

  /** By name; without those being deleted. A snapshot. */
  topics(): ReadonlyMap<string, CatalogTopic> {
    return this.#topics;
  }

  /** Topics whose deletion is decided and whose directories may remain. */
  deleting(): readonly string[] {
    return this.#deleting;
  }

  /** No producer id from here on was handed out. */
  get nextProducerId(): bigint {
    return this.#nextProducerId;
  }

  /** A snapshot. */
  quotas(): readonly ClientQuota[] {
    return this.#quotas;
  }

  /** Whether the file may hold a change that was refused here, and could not be put back: a crash would tell. */
  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** Makes the file say what holds here, durably, where that is in doubt. */
  settle(): Promise<void> {
    const run = this.#turn.then(() => this.#settle());
    this.#turn = run.catch(() => {});
    return run;
  }

  addTopic(topic: NewCatalogTopic): Promise<void> {
    return this.#change((contents) => {
      refuseBad(topic, contents);
      const added: CatalogTopic = {
        name: topic.name,
        topicId: topic.topicId,
        partitions: topic.partitions,
        overrides: topic.overrides,
        adopted: topic.adopted ?? false,
      };
      return { ...contents, topics: [...contents.topics, added] };
    });
  }

  /** The commit point of a deletion: from here on the topic is gone, and its directories are rubbish. */
  markDeleting(name: string): Promise<void> {
    return this.#change((contents) => {
      this.#require(name);
      return { ...contents, topics: contents.topics.filter((topic) => topic.name !== name), deleting: [...contents.deleting, name] };
    });
  }

  /** The end of a deletion: its directories are gone, the name is free. Also for a topic that was not marked. */
  removeTopic(name: string): Promise<void> {
    return this.#change((contents) => ({
      ...contents,
      topics: contents.topics.filter((topic) => topic.name !== name),
      deleting: contents.deleting.filter((other) => other !== name),
    }));
  }

  changeTopic(name: string, change: Partial<Pick<CatalogTopic, "partitions" | "overrides" | "adopted">>): Promise<void> {
    return this.#change((contents) => {
      const changed = { ...this.#require(name), ...change };
      refuseBad(changed, { ...contents, topics: contents.topics.filter((topic) => topic.name !== name) });
      return { ...contents, topics: contents.topics.map((topic) => (topic.name === name ? changed : topic)) };
    });
  }

  /**
   * A block of producer ids, durably taken before the first may be used: `count` of them from the answer on, none below
   * `atLeast` (one more than the largest found in any log) nor ever handed out before.
   */
  async reserveProducerIds(atLeast: bigint = 0n, count: number = PRODUCER_ID_BLOCK_COUNT): Promise<bigint> {
    let first = 0n;
    await this.#change((contents) => {
      first = contents.nextProducerId > atLeast ? contents.nextProducerId : atLeast;
      return { ...contents, nextProducerId: first + BigInt(count) };
    });
    return first;
  }

  /** `next`: the list as it should be, of the one that holds when the change's turn has come. */
  changeQuotas(next: (quotas: readonly ClientQuota[]) => readonly ClientQuota[]): Promise<void> {
    return this.#change((contents) => {
      const quotas = next(contents.quotas);
      if (quotas.length > QUOTA_COUNT_MAX) {
        throw new UsageError(
          "INVALID_REQUEST",
          `quotas: expected at most ${QUOTA_COUNT_MAX} clients with one of their own, found ${quotas.length}`,
        );
      }
      return { ...contents, quotas };
    });
  }

  /** What holds, as one. */
  #contents(): CatalogContents {
    return { topics: [...this.#topics.values()], deleting: this.#deleting, nextProducerId: this.#nextProducerId, quotas: this.#quotas };
  }

  #require(name: string): CatalogTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new UsageError("UNKNOWN_TOPIC_OR_PARTITION", `the catalogue has no topic "${name}"`);
    return topic;
  }

  /** Whether the file was not renamed over: then nothing is in doubt, and a full disk need not be asked again. */
  async #stands(): Promise<boolean> {
    return sameBytes(await readWholeFile(this.#storage, CATALOG_FILE, CATALOG_BYTE_LENGTH_MAX), this.#bytes);
  }

  async #settle(): Promise<void> {
    if (!this.#inDoubt) return;
    const bytes = encodeCatalog(this.#contents(), this.#core);
    await replaceFile(this.#storage, "", CATALOG_FILE, bytes);
    this.#bytes = bytes;
    this.#inDoubt = false;
  }

  #change(next: (contents: CatalogContents) => CatalogContents): Promise<void> {
    const run = this.#turn.then(async () => {
      await this.#settle();
      const contents = next(this.#contents());
      const bytes = encodeCatalog(contents, this.#core);
      decodeCatalog(bytes, this.#core); // before it leaves: a catalogue that could not be read again is worse than an error
      if (bytes.byteLength > CATALOG_BYTE_LENGTH_MAX) {
        throw new OdradekError(
          "UNKNOWN_SERVER_ERROR",
          `${CATALOG_FILE}: expected at most ${CATALOG_BYTE_LENGTH_MAX} bytes, found ${bytes.byteLength}`,
        );
      }
      try {
        await replaceFile(this.#storage, "", CATALOG_FILE, bytes);
      } catch (error) {
        // The new file may stand all the same, and come out at the next open: what was refused is taken back, if it can be.
        this.#inDoubt = !(await this.#stands().catch(() => false));
        await this.#settle().catch(() => {});
        throw error;
      }
      this.#bytes = bytes;
      this.#topics = frozen(contents.topics);
      this.#deleting = contents.deleting;
      this.#nextProducerId = contents.nextProducerId;
      this.#quotas = contents.quotas;
    });
    this.#turn = run.catch(() => {});
    return run;
  }
}

function sameBytes(left: Bytes | null, right: Bytes | null): boolean {
  if (left === null || right === null) return left === right;
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function refuseBad(topic: NewCatalogTopic, contents: CatalogContents): void {
  const { name, topicId, partitions } = topic;
  if (contents.deleting.includes(name)) throw new UsageError("TOPIC_ALREADY_EXISTS", `topic "${name}" is still being deleted`);
  for (const other of contents.topics) {
    if (other.name === name) throw new UsageError("TOPIC_ALREADY_EXISTS", `topic "${name}" exists`);
    if (other.topicId === topicId) throw new UsageError("INVALID_ARGUMENT", `topicId: "${topicId}" is the id of topic "${other.name}"`);
  }
  if (!isTopicName(name)) throw new UsageError("INVALID_TOPIC_EXCEPTION", `${JSON.stringify(name)} is not a topic's name`);
  if (!isTopicId(topicId))
    throw new UsageError("INVALID_ARGUMENT", `topicId: expected 22 characters of URL-safe base64, found ${JSON.stringify(topicId)}`);
  validateConfig(topic.overrides); // together: two changes, each legal, may contradict each other
  if (!isPartitionCount(partitions)) throw new UsageError("INVALID_PARTITIONS", `topic "${name}": ${partitions} partitions are not legal`);
}

function frozen(topics: readonly CatalogTopic[]): ReadonlyMap<string, CatalogTopic> {
  return new Map(topics.map((topic) => [topic.name, Object.freeze({ ...topic, overrides: Object.freeze({ ...topic.overrides }) })]));
}
