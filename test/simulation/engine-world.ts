/** What was promised, and what may have come of what was not: plain data that an opened engine is held against. */
import type { TopicConfig } from "../../src/api/topic.ts";
import { type Life, readPartition } from "./engine-rig.ts";

export const GROUPS: readonly string[] = ["g", "h"];

export interface PartitionFacts {
  /** By offset: what stands there; null where a sender was not told. */
  history: (string | null)[];
  sent: string[];
  /** Below these: acknowledged or shown to a reader; and, of that, what a loss of power may not take. */
  promised: number;
  durable: number;
  /** Where the log start was confirmed to be, and where it may be. */
  deletedBefore: number;
  deletionAsked: number;
}

export interface TopicFacts {
  id: string | null;
  config: Partial<TopicConfig>;
  partitions: PartitionFacts[];
}

export type Unsettled =
  | { readonly kind: "create"; readonly topic: string; readonly facts: TopicFacts }
  | { readonly kind: "delete"; readonly topic: string }
  | { readonly kind: "alter"; readonly topic: string; readonly config: Partial<TopicConfig> }
  | { readonly kind: "partitions"; readonly topic: string; readonly count: number };

/** Of one group and partition, in order of the calls. */
interface CommitFacts {
  durable: number | null;
  later: { nextOffset: number; acknowledged: boolean }[];
}

export class BrokenPromise extends Error {}

export class World {
  topics: Record<string, TopicFacts> = {};
  /** Changes of topics that were asked for and not confirmed. */
  unsettled: Unsettled[] = [];
  commits: Record<string, CommitFacts> = {};
  /** Values are never used twice. */
  valueCount = 0;
  /** Whether the power went since the last open. */
  powerLost = false;

  clone(): World {
    const clone = new World();
    for (const [name, topic] of Object.entries(this.topics)) clone.topics[name] = cloneTopic(topic);
    // What is asked for and not confirmed is told by its change: its facts are the same in the world that will settle it.
    clone.unsettled = this.unsettled.map((change) => (change.kind === "create" ? { ...change, facts: cloneTopic(change.facts) } : change));
    for (const [key, { durable, later }] of Object.entries(this.commits)) {
      clone.commits[key] = { durable, later: later.map((each) => ({ ...each })) };
    }
    clone.valueCount = this.valueCount;
    clone.powerLost = this.powerLost;
    return clone;
  }

  /** Another number whenever something else is promised. */
  version(): number {
    let version = this.unsettled.length;
    const add = (number: number): void => {
      version = (Math.imul(version, 31) + number) | 0;
    };
    for (const { partitions } of Object.values(this.topics))
      for (const facts of partitions) for (const end of [facts.promised, facts.durable, facts.deletedBefore, facts.deletionAsked]) add(end);
    for (const { durable, later } of Object.values(this.commits)) {
      add(durable ?? -1);
      for (const each of later) add(each.acknowledged ? each.nextOffset : -each.nextOffset);
    }
    return version;
  }

  /** The change is confirmed: what was in doubt of the topic before is settled by it. */
  settle(change: Unsettled): void {
    this.unsettled = this.unsettled.filter(({ topic }) => topic !== change.topic);
    this.#apply(change);
  }

  loseProcess(): void {}

  losePower(): void {
    this.powerLost = true;
  }

  commitKey(group: string, topic: string, partition: number): string {
    return `${group}/${topic}/${partition}`;
  }

  commitsOf(key: string): CommitFacts {
    this.commits[key] ??= { durable: null, later: [] };
    return this.commits[key];
  }

  /**
   * Holds an engine just opened against everything; then what is there is the truth. Throws a `BrokenPromise`. `readsAlone`: it was opened
   * with `readOnly`, and what recovery does to commits was not done.
   */
  async check(life: Life, readsAlone = false): Promise<void> {
    for (const topic of new Set([...Object.keys(this.topics), ...this.unsettled.map((change) => change.topic)]))
      this.#checkTopic(life, topic);
    for (const name of life.engine.topicNames()) {
      if (!name.startsWith("__") && this.topics[name] === undefined)
        throw new BrokenPromise(`topic ${name} is there, and was never asked for or is deleted`);
    }
    for (const [name, topic] of Object.entries(this.topics)) {
      for (const [partition, facts] of topic.partitions.entries())
        await this.#checkPartition(life, name, partition, facts, topic.config.durability === "os");
    }
    if (!readsAlone) await this.#checkCommits(life);
    this.unsettled = [];
    this.powerLost = false;
  }

  #apply(change: Unsettled): void {
    const { topic } = change;
    const facts = this.topics[topic];
    if (change.kind === "create") this.topics[topic] = change.facts;
    else if (change.kind === "delete") {
      delete this.topics[topic];
      for (const key of Object.keys(this.commits)) if (key.split("/")[1] === topic) delete this.commits[key];
    } else if (facts !== undefined && change.kind === "alter") facts.config = change.config;
    else if (facts !== undefined && change.kind === "partitions") {
      while (facts.partitions.length < change.count) facts.partitions.push(newPartition());
    }
  }

  #checkTopic({ engine }: Life, name: string): void {
    const doubts = this.unsettled.filter((change) => change.topic === name);
    const wasThere = this.topics[name] !== undefined;
    const made = (fits: (facts: TopicFacts) => boolean): (Unsettled & { readonly kind: "create" }) | undefined =>
      doubts.findLast((change) => change.kind === "create" && fits(change.facts)) as (Unsettled & { readonly kind: "create" }) | undefined;
    if (!engine.hasTopic(name)) {
      if (wasThere && !doubts.some((change) => change.kind === "delete")) throw new BrokenPromise(`topic ${name} is gone`);
      this.#apply({ kind: "delete", topic: name });
      return;
    }
    const found = engine.describeTopic(name);
    // Made more than once, and never confirmed: any of them may be the one that lasted, and what was seen of another in between is no promise.
    const created =
      made((facts) => sameConfig(found.config, facts.config) && found.partitions.length === facts.partitions.length) ?? made(() => true);
    if (!wasThere) {
      if (created === undefined) throw new BrokenPromise(`topic ${name} is there, and was deleted or never asked for`);
      created.facts.id = null;
      this.#apply(created);
    }
    const deletion = doubts.find((change) => change.kind === "delete");
    const isRemade = wasThere && created !== undefined && deletion !== undefined && doubts.indexOf(deletion) < doubts.indexOf(created);
    // Deleted and made again, both of which failed and were done: another topic of the same name.
    if (isRemade && found.topicId !== this.topics[name]?.id) {
      created.facts.id = null;
      this.#apply(deletion);
      this.#apply(created);
    }
    for (const change of doubts) {
      if (change.kind === "alter" && sameConfig(found.config, change.config)) this.#apply(change);
      if (change.kind === "partitions" && found.partitions.length === change.count) this.#apply(change);
    }
    const facts = this.topics[name] as TopicFacts;
    if (facts.id !== null && facts.id !== found.topicId)
      throw new BrokenPromise(`topic ${name} has id ${found.topicId}, was made with ${facts.id}`);
    facts.id = found.topicId;
    if (found.partitions.length !== facts.partitions.length) {
      throw new BrokenPromise(`topic ${name} has ${found.partitions.length} partitions, expected ${facts.partitions.length}`);
    }
    if (!sameConfig(found.config, facts.config)) {
      throw new BrokenPromise(`topic ${name}: expected ${JSON.stringify(facts.config)}, found ${JSON.stringify(found.config)}`);
    }
  }

  async #checkPartition(life: Life, topic: string, partition: number, facts: PartitionFacts, isOs: boolean): Promise<void> {
    const wrong = (what: string): never => {
      throw new BrokenPromise(`${topic}-${partition}: ${what}`);
    };
    const found = await readPartition(life, topic, partition).catch((error: unknown) => wrong(`cannot be read: ${String(error)}`));
    const { logStart, logEnd, records } = found;
    const promised = isOs && this.powerLost ? facts.durable : facts.promised;
    if (logStart < facts.deletedBefore) wrong(`log start ${logStart} is below ${facts.deletedBefore}, which deleteRecords confirmed`);
    if (logStart > Math.max(facts.deletedBefore, facts.deletionAsked)) wrong(`log start ${logStart} was never asked for`);
    if (logEnd < promised) wrong(`C1/C4: ends at ${logEnd}, ${promised} was acknowledged or seen`);
    if (records.length !== logEnd - logStart) wrong(`C2: ${records.length} records from ${logStart} to ${logEnd}`);
    const elsewhere = new Set(facts.history.filter((value) => value !== null));
    for (const [index, { offset, value }] of records.entries()) {
      if (offset !== logStart + index) wrong(`C2: expected offset ${logStart + index}, found ${offset}`);
      const expected = facts.history[offset] ?? null;
      if (expected !== null && expected !== value) wrong(`C3: at ${offset} expected ${expected}, found ${value}`);
      if (expected === null && (elsewhere.has(value) || !facts.sent.includes(value)))
        wrong(`C3: ${value} at ${offset} was not sent here, or stands here twice`);
      elsewhere.add(value);
      facts.history[offset] = value;
    }
    facts.history.length = Math.max(logEnd, logStart);
    for (let offset = 0; offset < facts.history.length; offset += 1) facts.history[offset] ??= null;
    facts.promised = facts.durable = logEnd;
    facts.deletedBefore = facts.deletionAsked = logStart;
  }

  async #checkCommits(life: Life): Promise<void> {
    for (const groupId of GROUPS) {
      for (const { topic, partition, nextOffset } of await life.engine.offsetFetch({ groupId, partitions: null })) {
        const there = this.topics[topic]?.partitions[partition];
        if (there === undefined)
          throw new BrokenPromise(`group ${groupId} has offset ${nextOffset} in ${topic}-${partition}, which is not there`);
        if (nextOffset !== null && nextOffset > there.promised)
          throw new BrokenPromise(`C5: group ${groupId} is at ${nextOffset}, ${topic}-${partition} ends at ${there.promised}`);
      }
      for (const [topic, { partitions }] of Object.entries(this.topics)) {
        for (const [partition, { promised }] of partitions.entries()) {
          const [found] = await life.engine.offsetFetch({ groupId, partitions: [{ topic, partition }] });
          const nextOffset = found?.nextOffset ?? null;
          const facts = this.commitsOf(this.commitKey(groupId, topic, partition));
          const firstKept = this.powerLost ? -1 : facts.later.findLastIndex((each) => each.acknowledged);
          const legal = new Set(
            facts.later.slice(Math.max(0, firstKept)).map((each) => Math.min(each.nextOffset, promised)) as (number | null)[],
          );
          if (firstKept < 0) legal.add(facts.durable === null ? null : Math.min(facts.durable, promised));
          if (!legal.has(nextOffset))
            throw new BrokenPromise(
              `group ${groupId} is at ${nextOffset} in ${topic}-${partition}, expected one of ${[...legal].join(", ")}`,
            );
          facts.durable = nextOffset;
          facts.later = [];
        }
      }
    }
  }
}

function cloneTopic({ id, config, partitions }: TopicFacts): TopicFacts {
  return {
    id,
    config,
    partitions: partitions.map((facts) => ({ ...facts, history: facts.history.slice(), sent: facts.sent.slice() })),
  };
}

export function newPartition(): PartitionFacts {
  return { history: [], sent: [], promised: 0, durable: 0, deletedBefore: 0, deletionAsked: 0 };
}

function sameConfig(found: Readonly<TopicConfig>, expected: Partial<TopicConfig>): boolean {
  return Object.entries(expected).every(([name, value]) => found[name as keyof TopicConfig] === value);
}
