/** What was promised of a whole engine's topics with keys, as plain data, and how an engine is held against it. */
import type { TopicConfig } from "../../../src/api/topic.ts";
import { batchByteLengthAt, lastOffsetAt, viewOf } from "../../../src/log/batch/batch-header.ts";
import { type KeyedPut, type KeyedRecord, keyedIn } from "../../log/compaction-rig.ts";
import { lawsBroken } from "../../log/compaction-twin.ts";
import type { Life } from "../../simulation/engine-rig.ts";

export const HOUR_MS = 3_600_000;
const READ_MAX_BYTES = 400;

const SMALL: Partial<TopicConfig> = {
  segmentBytes: 260,
  indexIntervalBytes: 50,
  maxMessageBytes: 250,
  minCleanableDirtyRatio: 0,
  deleteRetentionMs: HOUR_MS,
};

/** Of one partition each; whatever is old enough goes from "aging" and "brief", and "turning" becomes a compacted one and is none again. */
export const KEYED_TOPICS = {
  kept: { ...SMALL, cleanupPolicy: "compact" },
  quick: { ...SMALL, cleanupPolicy: "compact", durability: "os" },
  aging: { ...SMALL, cleanupPolicy: "compact,delete", retentionMs: HOUR_MS },
  brief: { ...SMALL, cleanupPolicy: "delete", retentionMs: HOUR_MS },
  turning: { ...SMALL, cleanupPolicy: "delete", durability: "os" },
} as const satisfies Record<string, Partial<TopicConfig>>;

export type KeyedTopic = keyof typeof KEYED_TOPICS;

/** "making", "deleting": asked for, and not confirmed. */
type Presence = "there" | "absent" | "making" | "deleting";

interface TopicFacts {
  presence: Presence;
  /** By offset: what was handed over for it, acknowledged or not, and what was found there. */
  history: (KeyedRecord | undefined)[];
  /** Handed over since the topic was made, acknowledged or not, as key and value: with the time of each. */
  sent: Map<string, number>;
  /** Of what is handed over next: calls are answered in their order. */
  nextOffset: number;
  /** Whether compaction or retention may have had a look at it: until then no offset lacks. */
  isCleaned: boolean;
  cleanupPolicy: TopicConfig["cleanupPolicy"];
  acknowledgedEnd: number;
  /** Below this a loss of power takes nothing. */
  durableEnd: number;
  deletedBefore: number;
  deletionAsked: number;
}

const newFacts = (topic: KeyedTopic, presence: Presence): TopicFacts => ({
  presence,
  history: [],
  sent: new Map(),
  nextOffset: 0,
  isCleaned: false,
  cleanupPolicy: KEYED_TOPICS[topic].cleanupPolicy,
  acknowledgedEnd: 0,
  durableEnd: 0,
  deletedBefore: 0,
  deletionAsked: 0,
});

const nameOf = ({ key, value }: Pick<KeyedRecord, "key" | "value">): string => `${key} ${value}`;

export class KeyedTopics {
  readonly topics: Map<KeyedTopic, TopicFacts>;
  /** Values are never used twice. */
  valueCount: number;
  /** The latest that it was on any wall. */
  nowMs: number;

  constructor(names: readonly KeyedTopic[], nowMs: number, valueCount: number) {
    this.topics = new Map(names.map((name) => [name, newFacts(name, "absent")]));
    this.nowMs = nowMs;
    this.valueCount = valueCount;
  }

  clone(): KeyedTopics {
    const clone = new KeyedTopics([], this.nowMs, this.valueCount);
    for (const [name, facts] of this.topics)
      clone.topics.set(name, { ...facts, history: facts.history.slice(), sent: new Map(facts.sent) });
    return clone;
  }

  version(): number {
    let version = 0;
    for (const { presence, acknowledgedEnd, durableEnd, deletedBefore, deletionAsked, sent } of this.topics.values())
      for (const number of [presence.length, acknowledgedEnd, durableEnd, deletedBefore, deletionAsked, sent.size])
        version = (Math.imul(version, 31) + number) | 0;
    return version;
  }

  losePower(): void {
    for (const facts of this.topics.values()) facts.acknowledgedEnd = Math.min(facts.acknowledgedEnd, facts.durableEnd);
  }

  // What a program asks for

  async make({ engine }: Life, topic: KeyedTopic): Promise<void> {
    const facts = newFacts(topic, "making");
    this.topics.set(topic, facts);
    await engine.createTopic({ topic, partitions: 1, config: KEYED_TOPICS[topic] });
    facts.presence = "there";
  }

  async remove({ engine }: Life, topic: KeyedTopic): Promise<void> {
    const facts = this.#facts(topic);
    facts.presence = "deleting";
    await engine.deleteTopic(topic);
    facts.presence = "absent";
  }

  newValue(byteLength = 0): string {
    this.valueCount += 1;
    return `${this.valueCount}`.padEnd(byteLength, "x");
  }

  /** Resolves when it is acknowledged. */
  async put({ engine, clock }: Life, topic: KeyedTopic, puts: readonly KeyedPut[]): Promise<void> {
    const facts = this.#facts(topic);
    const nowMs = clock.now();
    const { writer } = engine.core;
    writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
    const expectedOffset = facts.nextOffset;
    for (const [key, value] of puts) {
      facts.sent.set(nameOf({ key, value }), nowMs);
      facts.history[facts.nextOffset] = { offset: facts.nextOffset, key, value };
      facts.nextOffset += 1;
      writer.append(bytesOf(key), bytesOf(value), null, nowMs);
    }
    const { baseOffset } = await engine.produce({ topic, partition: 0, batch: writer.finish(), acks: "all" });
    if (baseOffset !== expectedOffset) throw new Error(`C4: ${topic}: expected to be put at ${expectedOffset}, was put at ${baseOffset}`);
    facts.acknowledgedEnd = Math.max(facts.acknowledgedEnd, baseOffset + puts.length);
    if (!("durability" in KEYED_TOPICS[topic])) facts.durableEnd = Math.max(facts.durableEnd, facts.acknowledgedEnd);
  }

  async deleteRecords({ engine }: Life, topic: KeyedTopic, share: number): Promise<void> {
    const facts = this.#facts(topic);
    const before = facts.deletedBefore + Math.floor(share * (facts.acknowledgedEnd - facts.deletedBefore));
    facts.deletionAsked = Math.max(facts.deletionAsked, before);
    facts.deletedBefore = Math.max(facts.deletedBefore, await engine.deleteRecords({ topic, partition: 0 }, before));
  }

  /** A topic that was not compacted is from now on, or the other way round, while it is written. */
  async turn({ engine }: Life, topic: KeyedTopic): Promise<void> {
    const facts = this.#facts(topic);
    facts.cleanupPolicy = facts.cleanupPolicy === "delete" ? "compact" : "delete";
    await engine.alterConfig(topic, { cleanupPolicy: facts.cleanupPolicy });
  }

  /** What compaction and retention have taken when it resolves stays away. */
  async maintain({ engine }: Life): Promise<void> {
    for (const [topic, facts] of this.topics)
      if (facts.presence === "there") facts.isCleaned ||= engine.describeTopic(topic).config.cleanupPolicy !== "delete";
    await engine.maintain();
    for (const [topic, facts] of this.topics) {
      if (facts.presence !== "there") continue;
      const [found] = engine.describeTopic(topic).partitions;
      facts.deletedBefore = Math.max(facts.deletedBefore, found?.logStartOffset ?? 0);
      facts.deletionAsked = Math.max(facts.deletionAsked, facts.deletedBefore);
    }
  }

  /** Whatever was handed over, deleted or known of by `later` may be there as well, or gone. */
  mayHold(later: KeyedTopics): void {
    this.nowMs = Math.max(this.nowMs, later.nowMs);
    this.valueCount = later.valueCount;
    for (const [name, facts] of this.topics) {
      const { sent, deletionAsked, history, isCleaned } = later.#facts(name);
      for (const [each, ms] of sent) facts.sent.set(each, ms);
      facts.deletionAsked = Math.max(facts.deletionAsked, deletionAsked);
      facts.history = history.slice();
      facts.isCleaned ||= isCleaned;
      // A backup is of one moment, which is not flushed: what its topic says of durability is not asked.
      facts.durableEnd = facts.acknowledgedEnd;
    }
  }

  /** In order: everything acknowledged is durable. */
  closed(): void {
    for (const facts of this.topics.values()) facts.durableEnd = Math.max(facts.durableEnd, facts.acknowledgedEnd);
  }

  // What is held against it

  /** Throws what is wrong; then what is there is the truth. `justOpened`: what a recovery serves it has flushed. */
  async check(life: Life, justOpened: boolean): Promise<void> {
    this.nowMs = Math.max(this.nowMs, life.clock.now());
    for (const [topic, facts] of this.topics) {
      const isThere = life.engine.hasTopic(topic);
      if (isThere && facts.presence === "absent") throw new Error(`C3: topic ${topic} is there, and was deleted or never asked for`);
      if (!isThere && facts.presence === "there") throw new Error(`C1: topic ${topic} is gone`);
      if (!isThere) {
        this.topics.set(topic, newFacts(topic, "absent"));
        continue;
      }
      facts.presence = "there";
      await this.#checkRecords(life, topic, facts, justOpened);
    }
  }

  async #checkRecords(life: Life, topic: KeyedTopic, facts: TopicFacts, justOpened: boolean): Promise<void> {
    const { logStart, logEnd, records } = await readKeyedTopic(life, topic);
    if (logEnd < facts.acknowledgedEnd)
      throw new Error(`C1: ${topic}: ${facts.acknowledgedEnd} was acknowledged, the log ends at ${logEnd}`);
    if (logStart < facts.deletedBefore) throw new Error(`C1: ${topic}: began at ${facts.deletedBefore}, and begins at ${logStart} again`);
    for (const record of records) {
      if (facts.history[record.offset] === undefined && !facts.sent.has(nameOf(record)))
        throw new Error(`C3: ${topic}: at ${record.offset} found ${nameOf(record)}, which was never sent there`);
      facts.history[record.offset] ??= record;
    }
    const broken = lawsBroken(facts.history as KeyedRecord[], records, logStart, facts.acknowledgedEnd);
    if (broken !== null) throw new Error(`C1: ${topic}: ${broken}`);
    if (topic === "brief" || !facts.isCleaned) this.#checkWhole(topic, records, logStart, logEnd);
    this.#checkStart(topic, facts, logStart);
    facts.history.length = Math.max(logStart, logEnd);
    facts.acknowledgedEnd = facts.nextOffset = logEnd;
    if (justOpened) facts.durableEnd = logEnd;
    facts.deletedBefore = logStart;
    facts.deletionAsked = Math.max(facts.deletionAsked, logStart);
  }

  /** Where nothing is compacted, nothing is missing. */
  #checkWhole(topic: KeyedTopic, records: readonly KeyedRecord[], logStart: number, logEnd: number): void {
    if (records.length !== Math.max(0, logEnd - logStart))
      throw new Error(`C2: ${topic}: ${records.length} records from ${logStart} to ${logEnd}`);
  }

  /** Nothing goes at the front but what was deleted, is past its time, or has a newer value. */
  #checkStart(topic: KeyedTopic, facts: TopicFacts, logStart: number): void {
    const newest = new Map<string | null, number>();
    if (topic !== "brief") for (const record of facts.history) if (record !== undefined) newest.set(record.key, record.offset);
    for (const record of facts.history.slice(facts.deletionAsked, logStart)) {
      if (record === undefined || record.offset < facts.deletionAsked) continue;
      const isOld = "retentionMs" in KEYED_TOPICS[topic] && (facts.sent.get(nameOf(record)) ?? 0) < this.nowMs - HOUR_MS;
      if (isOld || record.value === null || (newest.get(record.key) ?? -1) > record.offset) continue;
      throw new Error(`C1: ${topic}: begins at ${logStart}; ${nameOf(record)} at ${record.offset} was neither deleted nor past its time`);
    }
  }

  #facts(topic: KeyedTopic): TopicFacts {
    const facts = this.topics.get(topic);
    if (facts === undefined) throw new Error(`this program has no topic ${topic}`);
    return facts;
  }
}

const utf8 = new TextEncoder();

function bytesOf(text: string | null): Uint8Array | null {
  return text === null ? null : utf8.encode(text);
}

/** All that a reader is given of the topic's one partition. */
async function readKeyedTopic(
  { engine }: Life,
  topic: KeyedTopic,
): Promise<{ readonly logStart: number; readonly logEnd: number; readonly records: KeyedRecord[] }> {
  const [listed] = await engine.listOffsets({ partitions: [{ topic, partition: 0, at: "earliest" }], isolation: "readUncommitted" });
  const { fault, watermarks } = listed!;
  if (fault !== null) throw new Error(`C9: ${topic}: a crash was taken for damage: ${fault.code}: ${fault.message}`);
  const { logStartOffset, highWatermark, logEndOffset } = watermarks;
  const records: KeyedRecord[] = [];
  for (let offset = logStartOffset; offset < highWatermark; ) {
    const partitions = [{ topic, partition: 0, offset, maxBytes: READ_MAX_BYTES }];
    const answer = await engine.fetch({ partitions, minBytes: 0, maxWaitMs: 0, maxBytes: READ_MAX_BYTES, isolation: "readUncommitted" });
    const { fault: problem, batches } = answer.partitions[0]!;
    if (problem !== null) throw new Error(`C9: ${topic} at ${offset}: ${problem.code}: ${problem.message}`);
    if (batches.byteLength === 0) throw new Error(`C2: ${topic}: nothing at ${offset}, readable up to ${highWatermark}`);
    const view = viewOf(batches);
    for (let at = 0; at < batches.byteLength; at += batchByteLengthAt(view, at)) {
      const from = offset;
      records.push(...keyedIn(batches, at).filter((record) => record.offset >= from));
      offset = Math.max(offset, lastOffsetAt(view, at) + 1);
    }
  }
  return { logStart: logStartOffset, logEnd: logEndOffset, records };
}
