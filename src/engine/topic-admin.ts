/** Making, changing and removing topics. One change at a time; each is durable when it resolves. */
import type { CreateTopicRequest, TopicMetadata } from "../api/broker.ts";
import type { TopicPartition } from "../api/bytes.ts";
import type { PartitionDescription, TopicConfig, TopicDescription } from "../api/topic.ts";
import { StorageError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { checkWritable } from "../compression/unwritable-codec.ts";
import { readPartitionMetadata } from "../log/books/partition-metadata.ts";
import { partitionDirectoryName } from "../log/files/file-names.ts";
import { PartitionLog, type PartitionSpec } from "../log/partition-log.ts";
import { PARTITION_COUNT_MAX } from "../topic/catalog-file.ts";
import { resolveConfig, validateConfig } from "../topic/topic-config.ts";
import { isTopicId, newTopicId } from "../topic/topic-id.ts";
import { checkNewTopicName } from "../topic/topic-name.ts";
import { finishDeletion } from "./deletion.ts";
import { type House, isInternal, makeTopic, OFFSETS_TOPIC, partitionSpec, TRANSACTIONS_TOPIC } from "./house.ts";
import { removeLeftovers, removeUncommitted } from "./leftover.ts";
import type { OpenTopic, PartitionSlot } from "./open-topic.ts";
import { openPartitions } from "./topic-loader.ts";

type OpenSlot = Extract<PartitionSlot, { readonly state: "open" }>;

/** Enough that some flush of theirs always stands at the door: more of them only wait there. */
const MADE_AT_ONCE = 8;

export type ConfigChange = { readonly [P in keyof TopicConfig]?: TopicConfig[P] | null | undefined };

export class TopicAdmin {
  readonly #house: House;
  readonly #forgetOffsets: (topic: string) => Promise<void>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(house: House, forgetOffsets: (topic: string) => Promise<void>) {
    this.#house = house;
    this.#forgetOffsets = forgetOffsets;
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  create(request: CreateTopicRequest): Promise<TopicMetadata> {
    return this.#inTurn(async () => {
      const { context, catalog, topics } = this.#house;
      this.#refuseReadOnly("createTopic");
      if (topics.find(request.topic) !== undefined) {
        throw new UsageError("TOPIC_ALREADY_EXISTS", `topic "${request.topic}" exists`);
      }
      checkNewTopicName(request.topic, [...topics.names(), OFFSETS_TOPIC, TRANSACTIONS_TOPIC]);
      // Made by the engine, in Kafka's partition count: a group's records are found by its hash over that many.
      if (isInternal(request.topic))
        throw new UsageError("INVALID_TOPIC_EXCEPTION", `topic "${request.topic}" is internal: it is made by the engine alone`);
      checkPartitionCount(request.topic, request.partitions, 1);
      const overrides = validateConfig(request.config);
      this.#refuseUnwritable(overrides);
      const topicId = request.topicId ?? newTopicId(context.random);
      if (!isTopicId(topicId)) {
        throw new UsageError("INVALID_ARGUMENT", `topicId: expected 22 characters of URL-safe base64; found ${JSON.stringify(topicId)}`);
      }
      if (catalog.deleting().includes(request.topic)) await finishDeletion(this.#house, request.topic, this.#forgetOffsets);
      const topic = makeTopic(this.#house, { name: request.topic, topicId, frozen: false, overrides });
      const made = await this.#makePartitions(topic, range(0, request.partitions));
      // The commit point: before it the directories are leftovers, after it they are the topic.
      await this.#orTakeBack(made, catalog.addTopic({ name: topic.name, topicId, partitions: request.partitions, overrides }));
      topic.slots.push(...made);
      topics.put(topic);
      return describe(topic);
    });
  }

  delete(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const { catalog, topics } = this.#house;
      this.#refuseReadOnly("deleteTopic");
      if (catalog.deleting().includes(name)) return await finishDeletion(this.#house, name, this.#forgetOffsets);
      const topic = topics.require(name);
      this.#refuseInternal(topic, "deleted");
      this.#refuseFrozen(topic, "deleteTopic");
      try {
        await catalog.markDeleting(name);
      } catch (error) {
        if (catalog.inDoubt) await this.#takeOutOfService(topic, error);
        throw error;
      }
      topics.remove(name);
      // What a log that goes away cannot flush or close is nobody's loss.
      await Promise.allSettled(topic.openLogs().map((log) => log.close(false)));
      await finishDeletion(this.#house, name, this.#forgetOffsets);
    });
  }

  createPartitions(name: string, totalCount: number): Promise<void> {
    return this.#inTurn(async () => {
      const { catalog, topics } = this.#house;
      this.#refuseReadOnly("createPartitions");
      const topic = topics.require(name);
      this.#refuseInternal(topic, "given partitions");
      this.#refuseFrozen(topic, "createPartitions");
      checkPartitionCount(name, totalCount, topic.slots.length + 1);
      const made = await this.#makePartitions(topic, range(topic.slots.length, totalCount));
      await this.#orTakeBack(made, catalog.changeTopic(name, { partitions: totalCount }));
      topic.slots.push(...made);
    });
  }

  alterConfig(name: string, change: ConfigChange): Promise<void> {
    return this.#inTurn(async () => {
      const { catalog, topics, defaults } = this.#house;
      this.#refuseReadOnly("alterTopic");
      const topic = topics.require(name);
      this.#refuseInternal(topic, "altered");
      this.#refuseFrozen(topic, "alterTopic");
      if (typeof change !== "object" || change === null || Array.isArray(change)) {
        throw new UsageError("INVALID_CONFIG", `alterTopic("${name}"): expected an object of settings, found ${describeValue(change)}`);
      }
      const resets = Object.keys(change).filter((key) => change[key as keyof TopicConfig] === null);
      const sets = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== null && value !== undefined));
      const checked = validateConfig(sets);
      this.#refuseUnwritable(checked);
      validateConfig(Object.fromEntries(resets.map((key) => [key, undefined])));
      const overrides = Object.fromEntries(Object.entries({ ...topic.overrides, ...checked }).filter(([key]) => !resets.includes(key)));
      const config = resolveConfig(overrides, defaults);
      const before = { overrides: topic.overrides, config: topic.config };
      try {
        if (before.config.durability === "os" && config.durability === "sync") await beginSync(topic);
        if (before.config.cleanupPolicy === "delete" && config.cleanupPolicy !== "delete") await beginCompaction(topic);
        await catalog.changeTopic(name, { overrides });
      } catch (error) {
        topic.configure(before.overrides, before.config);
        for (const log of topic.openLogs()) log.settingsChanged();
        throw error;
      }
      topic.configure(overrides, config);
      for (const log of topic.openLogs()) log.settingsChanged();
    });
  }

  adopt(name: string, options: { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] }): Promise<void> {
    return this.#inTurn(async () => {
      const { catalog, topics, context } = this.#house;
      this.#refuseReadOnly("adoptTopic");
      const frozen = topics.require(name);
      if (!frozen.frozen)
        throw new UsageError("INVALID_REQUEST", `topic "${name}" is Odradek's already: alterTopic and createPartitions change it`);
      checkPartitionCount(name, options.partitions, frozen.slots.length);
      const overrides = validateConfig({ cleanupPolicy: options.cleanupPolicy });
      const metadata = await readPartitionMetadata(context.storage, partitionDirectoryName(name, 0));
      const topicId = metadata?.topicId ?? newTopicId(context.random);
      const topic = makeTopic(this.#house, { name, topicId, frozen: false, overrides });
      const missing = range(0, options.partitions).filter((partition) => frozen.slots[partition]?.state !== "open");
      const made = await this.#makePartitions(topic, missing);
      await this.#orTakeBack(made, catalog.addTopic({ name, topicId, partitions: options.partitions, overrides, adopted: true }));
      // From here on it is ours; what a crash leaves undone below is done by the next open.
      for (const log of frozen.openLogs()) await log.close(false);
      for (const [index, slot] of made.entries()) topic.slots[missing[index] as number] = slot;
      await openPartitions(
        this.#house,
        topic,
        range(0, options.partitions).filter((partition) => !missing.includes(partition)),
      );
      topics.put(topic);
    });
  }

  deleteRecords(at: TopicPartition, beforeOffset: number): Promise<number> {
    const topic = this.#house.topics.require(at.topic);
    this.#refuseReadOnly("deleteRecords");
    this.#refuseInternal(topic, "cut");
    this.#refuseFrozen(topic, "deleteRecords");
    const log = topic.log(at.partition);
    if (!topic.config.cleanupPolicy.includes("delete")) {
      throw new UsageError(
        "POLICY_VIOLATION",
        `topic "${at.topic}" has cleanupPolicy "${topic.config.cleanupPolicy}": deleteRecords needs "delete" in it`,
      );
    }
    // Of topics that are ours only the internal ones have partitions without a log.
    return (log as PartitionLog).deleteRecordsBefore(beforeOffset);
  }

  /** After a failed flush: recovery, then writable again. A partition that could not be opened is tried anew. */
  reopenPartition(at: TopicPartition, beforeAppends: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      const topic = this.#house.topics.require(at.topic);
      const slot = topic.slots[at.partition];
      // Of a topic whose deletion may be on disk nothing may be acknowledged.
      await this.#house.catalog.settle();
      // Throws that there is no such partition; it may be made later, and is not being reopened then.
      if (slot === undefined) topic.log(at.partition);
      topic.reopening.add(at.partition);
      if (slot?.state === "open") await slot.log.reopen();
      else if (slot?.state === "failed") await openPartitions(this.#house, topic, [at.partition]);
      // Throws what keeps it from opening still.
      topic.log(at.partition);
      await beforeAppends();
      topic.reopening.delete(at.partition);
    });
  }

  /** Makes the logs of these partitions, and takes them back if one cannot be made. */
  async #makePartitions(topic: OpenTopic, partitions: readonly number[]): Promise<OpenSlot[]> {
    const { context, catalog, checkpoints } = this.#house;
    // Else the file might name the directories that are cleared away here.
    await catalog.settle();
    const specs = partitions.map((partition) => partitionSpec(this.#house, topic, partition, true));
    for (const spec of specs) await checkpoints.forgetDurably(spec);
    await removeLeftovers(
      context.storage,
      specs.map(({ directory }) => directory),
    );
    const made: (OpenSlot | undefined)[] = specs.map(() => undefined);
    let next = 0;
    let failure: { readonly error: unknown } | null = null;
    const makeOnAndOn = async (): Promise<void> => {
      while (failure === null && next < specs.length) {
        const place = next++;
        try {
          made[place] = await this.#makePartition(specs[place] as PartitionSpec);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(range(0, Math.min(MADE_AT_ONCE, specs.length)).map(makeOnAndOn));
    const slots = made.filter((slot) => slot !== undefined);
    if (failure === null) return slots;
    await this.#takeBack(slots);
    throw (failure as { readonly error: unknown }).error;
  }

  async #makePartition(spec: PartitionSpec): Promise<OpenSlot> {
    const { context } = this.#house;
    try {
      return { state: "open", log: await PartitionLog.create(context, spec) };
    } catch (error) {
      // What was made of it holds no record. Where it cannot be removed either, the next creation does.
      await removeUncommitted(context.storage, spec.directory).catch(() => {});
      throw error;
    }
  }

  /**
   * The catalogue's change for partitions just made. Where it was refused their directories go; where the file may hold the
   * change all the same they stay, closed: an entry without directories would be a topic lost.
   */
  async #orTakeBack(made: readonly OpenSlot[], change: Promise<void>): Promise<void> {
    try {
      await change;
    } catch (error) {
      if (!this.#house.catalog.inDoubt) await this.#takeBack(made);
      else for (const { log } of made) await log.close(false).catch(() => {});
      throw error;
    }
  }

  /** Best effort: the error that led here is the one to be told, and a directory without records is nobody's loss. */
  async #takeBack(made: readonly OpenSlot[]): Promise<void> {
    for (const { log } of made) {
      await log.close(false).catch(() => {});
      await removeUncommitted(this.#house.context.storage, log.spec.directory).catch(() => {});
    }
  }

  /** Its deletion may be on disk or not: nothing more may be acknowledged that a crash would then take along. */
  async #takeOutOfService(topic: OpenTopic, cause: unknown): Promise<void> {
    for (const [partition, slot] of topic.slots.entries()) {
      if (slot.state !== "open") continue;
      const message = `${slot.log.spec.directory}: whether the topic's deletion is on disk is not known; close the log and open it again`;
      topic.slots[partition] = { state: "failed", error: new StorageError("PARTITION_FAILED", message, { cause }) };
      await slot.log.close(false).catch(() => {});
    }
  }

  /** Now, not when the first record comes; one that a topic has from elsewhere is refused then. */
  #refuseUnwritable({ compressionType }: Readonly<Partial<TopicConfig>>): void {
    const { compression } = this.#house.context;
    checkWritable(compressionType, (codec) => compression.canCompress(codec));
  }

  #refuseReadOnly(call: string): void {
    if (this.#house.context.readOnly) throw new UsageError("READ_ONLY", `${call}: the log was opened with readOnly`);
  }

  #refuseInternal(topic: OpenTopic, what: string): void {
    if (topic.internal) throw new UsageError("INVALID_TOPIC_EXCEPTION", `topic "${topic.name}" is internal and cannot be ${what}`);
  }

  #refuseFrozen(topic: OpenTopic, call: string): void {
    if (topic.frozen) {
      throw new UsageError(
        "TOPIC_NOT_ADOPTED",
        `${call}: topic "${topic.name}" was left here by another writer; adoptTopic names its settings first`,
      );
    }
  }

  /** The catalogue and the directories change together, so one call ends before the next begins. */
  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(call);
    this.#turn = run.catch(() => {});
    return run;
  }
}

/**
 * Before the catalogue says so: recovery believes of a "sync" topic that little was ever unflushed (C7, C9), and would take what a loss
 * of power did to an "os" topic's unflushed bytes for damage. A flush that fails fails its partition, which tells of it.
 */
async function beginSync(topic: OpenTopic): Promise<void> {
  topic.configure(topic.overrides, { ...topic.config, durability: "sync" });
  await Promise.allSettled(topic.openLogs().map((log) => log.flush()));
}

/**
 * Before the catalogue says so: recovery takes a gap in a compacted topic for compaction's, and would take what a loss of power took out
 * of the middle for one. A flush that fails fails its partition, which tells of it.
 */
async function beginCompaction(topic: OpenTopic): Promise<void> {
  await Promise.allSettled(topic.openLogs().map((log) => log.prepareForCompaction()));
}

export function describe(topic: OpenTopic): TopicMetadata {
  return {
    name: topic.name,
    topicId: topic.topicId,
    internal: topic.internal,
    partitionCount: topic.slots.length,
    maxMessageBytes: Math.min(topic.config.maxMessageBytes, topic.config.segmentBytes),
    requiresKey: topic.config.cleanupPolicy !== "delete",
  };
}

const NO_MARKS = { logStartOffset: 0, lastStableOffset: 0, highWatermark: 0, logEndOffset: 0, byteLength: 0 } as const;

export function describeWhole(topic: OpenTopic): TopicDescription {
  return {
    name: topic.name,
    topicId: topic.topicId,
    internal: topic.internal,
    config: topic.config,
    partitions: topic.slots.map(describePartition),
  };
}

function describePartition(slot: PartitionSlot, partition: number): PartitionDescription {
  const error = slot.state === "open" ? slot.log.failure : slot.state === "failed" ? slot.error : null;
  const marks = slot.state === "open" ? { ...slot.log.watermarks, byteLength: slot.log.byteLength } : NO_MARKS;
  return { partition, ...marks, ...(error === null ? {} : { error: { code: error.code, message: error.message } }) };
}

function checkPartitionCount(topic: string, count: number, least: number): void {
  if (Number.isInteger(count) && count >= least && count <= PARTITION_COUNT_MAX) return;
  throw new UsageError(
    "INVALID_PARTITIONS",
    `topic "${topic}": expected ${least} to ${PARTITION_COUNT_MAX} partitions; found ${String(count)}`,
  );
}

function range(from: number, until: number): number[] {
  return Array.from({ length: Math.max(0, until - from) }, (_, index) => from + index);
}
