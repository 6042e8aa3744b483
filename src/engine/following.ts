/** A log that is only read follows the process that writes it: new records, segments and topics are seen a moment after they are durable. */
import type { FetchResponse } from "../api/broker.ts";
import { PartitionLog } from "../log/partition-log.ts";
import type { LogFollower } from "../log/read/log-follower.ts";
import { scanDirectory } from "../topic/directory-scan.ts";
import { type House, makeTopic, partitionSpec } from "./house.ts";
import type { MaintenanceTask } from "./maintenance.ts";
import type { OpenTopic } from "./open-topic.ts";

/** How long what is durable may go unseen, beside the time that a look takes. */
export const FOLLOW_INTERVAL_MS = 100;
/** A look that takes long is taken less often: of its thread it gets a tenth at most. */
const SHARE = 10;
/** Files that were put in the place of others, by compaction, are told of by nothing but themselves. */
const FILES_INTERVAL_MS = 1000;
/** How often a fetch is made again, at most: a writer would have to overtake each. */
const FETCHES_MAX = 32;

export class Following {
  readonly #house: House;
  /** Topics of the catalogue: those that it names no more are gone. What another writer left stays as it was found. */
  readonly #named: Set<string>;
  #filesSeenMs: number;
  #pauseUntilMs = 0;

  constructor(house: House) {
    this.#house = house;
    this.#named = new Set(house.catalog.topics().keys());
    this.#filesSeenMs = house.context.clock.monotonic();
  }

  task(): MaintenanceTask {
    return { name: "following", firstMs: FOLLOW_INTERVAL_MS, intervalMs: FOLLOW_INTERVAL_MS, run: () => this.#look() };
  }

  /**
   * A fetch that met files which the writer has removed or replaced since the last look is made again on what there is now: once in any case, and
   * for as long as the writer has done so again since the log was opened anew. What is damaged is so on files that stay as they are.
   */
  async fetch(fetch: () => Promise<FetchResponse>): Promise<FetchResponse> {
    for (let fetches = 1; ; fetches += 1) {
      const response = await fetch();
      const failed = response.partitions.filter(({ fault }) => fault?.name === "StorageError" || fault?.name === "CorruptionError");
      if (failed.length === 0 || fetches === FETCHES_MAX) return response;
      const followers = failed.flatMap(({ topic, partition }) => {
        const slot = this.#house.topics.find(topic)?.slots[partition];
        return slot?.state === "open" ? [slot.log.follower] : [];
      });
      if (fetches > 1 && !(await isAnyOvertaken(followers))) return response;
      await Promise.allSettled(followers.map((follower) => follower.follow(true)));
    }
  }

  async #look(): Promise<void> {
    const { clock } = this.#house.context;
    const beganMs = clock.monotonic();
    if (beganMs < this.#pauseUntilMs) return;
    try {
      await this.#lookAtTopics();
      const looksAtFiles = beganMs - this.#filesSeenMs >= FILES_INTERVAL_MS;
      if (looksAtFiles) this.#filesSeenMs = beganMs;
      for (const topic of this.#house.topics.all()) await this.#lookAtPartitions(topic, looksAtFiles);
    } finally {
      const endMs = clock.monotonic();
      this.#pauseUntilMs = endMs + (endMs - beganMs) * SHARE - FOLLOW_INTERVAL_MS;
    }
  }

  async #lookAtTopics(): Promise<void> {
    const { catalog, topics } = this.#house;
    if (!(await catalog.reread())) return;
    for (const topic of topics.all()) {
      const entry = catalog.topics().get(topic.name);
      const isGone = entry === undefined ? this.#named.has(topic.name) : entry.topicId !== topic.topicId;
      if (!isGone) continue;
      topics.remove(topic.name);
      this.#named.delete(topic.name);
      await Promise.allSettled(topic.openLogs().map((log) => log.close(false)));
    }
    for (const entry of catalog.topics().values()) {
      this.#named.add(entry.name);
      const now = makeTopic(this.#house, { ...entry, frozen: false });
      const topic = topics.find(entry.name) ?? now;
      topic.configure(now.overrides, now.config);
      for (let partition = topic.slots.length; partition < entry.partitions; partition += 1) topic.slots.push({ state: "empty" });
      topics.put(topic);
    }
  }

  async #lookAtPartitions(topic: OpenTopic, looksAtFiles: boolean): Promise<void> {
    const isRewritten = looksAtFiles && topic.config.cleanupPolicy !== "delete";
    let present: ReadonlySet<number> | null = null;
    for (const [partition, slot] of topic.slots.entries()) {
      try {
        if (slot.state === "open") {
          const change = await slot.log.follower.changeSeen(isRewritten);
          if (change !== null) await slot.log.follower.follow(change === "files");
        } else {
          // An internal topic's partitions come with their first record.
          present ??= await this.#present(topic.name);
          if (present.has(partition)) topic.slots[partition] = { state: "open", log: await this.#open(topic, partition) };
        }
      } catch {
        // Files come and go under a look: the next one finds what there is. What is broken for good is met by whoever reads.
      }
    }
  }

  #open(topic: OpenTopic, partition: number): Promise<PartitionLog> {
    const { context } = this.#house;
    return PartitionLog.open({ ...context, emit: () => {} }, { ...partitionSpec(this.#house, topic, partition), cleanShutdown: false });
  }

  async #present(topic: string): Promise<ReadonlySet<number>> {
    const { topics } = scanDirectory(await this.#house.context.storage.list(""));
    return new Set(topics.get(topic)?.present ?? []);
  }
}

/** One that cannot be asked says nothing. */
async function isAnyOvertaken(followers: readonly LogFollower[]): Promise<boolean> {
  for (const follower of followers) if (await follower.isOvertaken().catch(() => false)) return true;
  return false;
}
