/** What a program may do to an engine, one step at a time, with the world told what was asked and what was confirmed. */

import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { newTopicId } from "../../src/topic/topic-id.ts";
import { commit, type Life, produce, readPartition } from "./engine-rig.ts";
import { GROUPS, newPartition, type TopicFacts, type Unsettled, type World } from "./engine-world.ts";

export const TOPICS: readonly string[] = ["a", "b"];

export type Step =
  | { readonly kind: "create"; readonly topic: string; readonly partitions: number; readonly os: boolean }
  | { readonly kind: "delete"; readonly topic: string }
  | { readonly kind: "alter"; readonly topic: string; readonly retentionBytes: number }
  | { readonly kind: "partitions"; readonly topic: string }
  | {
      readonly kind: "produce";
      readonly topic: string;
      readonly partition: number;
      readonly count: number;
      readonly length: number;
      readonly wait: boolean;
    }
  | {
      readonly kind: "commit";
      readonly group: string;
      readonly topic: string;
      readonly partition: number;
      readonly share: number;
      readonly durable: boolean;
      readonly wait: boolean;
    }
  | { readonly kind: "look"; readonly topic: string; readonly partition: number }
  | { readonly kind: "deleteRecords"; readonly topic: string; readonly partition: number; readonly share: number }
  /** All segments but the last are past their time, are removed, and what is left is kept again. */
  | { readonly kind: "retain"; readonly topic: string }
  | { readonly kind: "maintain" }
  | { readonly kind: "advance"; readonly ms: number }
  | { readonly kind: "reopen" };

export function randomStep(random: SeededRandom): Step {
  const topic = random.pick(TOPICS);
  const partition = random.integer(0, 3);
  const roll = random.integer(0, 40);
  if (roll < 4) return { kind: "create", topic, partitions: random.integer(1, 4), os: random.chance(0.4) };
  if (roll < 6) return { kind: "delete", topic };
  if (roll < 8) return { kind: "alter", topic, retentionBytes: random.integer(100_000, 900_000) };
  if (roll < 9) return { kind: "partitions", topic };
  if (roll < 25)
    return { kind: "produce", topic, partition, count: random.integer(1, 4), length: random.integer(3, 60), wait: random.chance(0.5) };
  if (roll < 31) {
    const group = random.pick(GROUPS);
    return { kind: "commit", group, topic, partition, share: random.next(), durable: random.chance(0.4), wait: random.chance(0.6) };
  }
  if (roll < 33) return { kind: "look", topic, partition };
  if (roll < 35) return { kind: "deleteRecords", topic, partition, share: random.next() };
  if (roll < 36) return { kind: "maintain" };
  if (roll < 38) return { kind: "advance", ms: random.pick([50, 100, 61_000]) };
  return { kind: "reopen" };
}

/** Runs steps on one opened engine after another. A step that makes no sense as the world stands does nothing. */
export class Run {
  readonly world: World;
  life: Life;
  /** Closes the engine and opens the next on the same disk. */
  readonly #reopen: () => Promise<Life>;
  readonly #ids: SeededRandom;
  readonly #waiting: Promise<void>[] = [];
  /** What was refused, by whomever. */
  readonly errors: unknown[] = [];

  constructor(world: World, life: Life, reopen: () => Promise<Life>, seed: number | string = 1) {
    this.world = world;
    this.life = life;
    this.#reopen = reopen;
    this.#ids = new SeededRandom(seed);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#waiting);
  }

  async step(step: Step): Promise<void> {
    const { world } = this;
    const { engine, clock } = this.life;
    if (step.kind === "maintain") return void (await this.#noted(engine.maintain()));
    if (step.kind === "advance") return await clock.advance(step.ms);
    if (step.kind === "reopen") return await this.#closeAndReopen();
    const facts = world.topics[step.topic];
    if (step.kind === "create") {
      if (facts === undefined) await this.#create(step);
      return;
    }
    if (facts === undefined) return;
    if (step.kind === "delete") return await this.#change({ kind: "delete", topic: step.topic }, () => engine.deleteTopic(step.topic));
    if (step.kind === "alter") {
      const config = { ...facts.config, retentionBytes: step.retentionBytes };
      return await this.#change({ kind: "alter", topic: step.topic, config }, () =>
        engine.alterConfig(step.topic, { retentionBytes: step.retentionBytes }),
      );
    }
    if (step.kind === "partitions") {
      const count = facts.partitions.length + 1;
      if (count > 3) return;
      return await this.#change({ kind: "partitions", topic: step.topic, count }, () => engine.createPartitions(step.topic, count));
    }
    if (step.kind === "retain") return await this.#retain(step.topic, facts);
    if (facts.partitions[step.partition] === undefined) return;
    if (step.kind === "produce") return await this.#inFlight(this.#produce(step, facts), step.wait);
    if (step.kind === "commit") return await this.#inFlight(this.#commit(step, facts), step.wait);
    if (step.kind === "look") await this.#noted(this.#look(step.topic, step.partition, facts));
    else await this.#noted(this.#deleteRecords(step.topic, step.partition, step.share, facts));
  }

  async #create(step: Extract<Step, { kind: "create" }>): Promise<void> {
    const durability = step.os ? ("os" as const) : ("sync" as const);
    const id = this.#ids.chance(0.5) ? newTopicId(this.#ids) : null;
    const facts: TopicFacts = { id, config: { durability }, partitions: Array.from({ length: step.partitions }, newPartition) };
    const request = { topic: step.topic, partitions: step.partitions, config: { durability }, ...(id === null ? {} : { topicId: id }) };
    await this.#change({ kind: "create", topic: step.topic, facts }, async () => {
      facts.id = (await this.life.engine.createTopic(request)).topicId;
    });
  }

  async #change(change: Unsettled, call: () => Promise<unknown>): Promise<void> {
    this.world.unsettled.push(change);
    await this.#noted(
      (async () => {
        await call();
        this.world.settle(change);
      })(),
    );
  }

  async #produce(step: Extract<Step, { kind: "produce" }>, topic: TopicFacts): Promise<void> {
    const facts = topic.partitions[step.partition]!;
    const values = Array.from({ length: step.count }, () => {
      this.world.valueCount += 1;
      return `${this.world.valueCount}:`.padEnd(step.length, "x");
    });
    facts.sent.push(...values);
    const base = await produce(this.life, step.topic, step.partition, values);
    for (const [index, value] of values.entries()) facts.history[base + index] = value;
    this.#promise(topic, step.partition, base + values.length);
  }

  async #commit(step: Extract<Step, { kind: "commit" }>, topic: TopicFacts): Promise<void> {
    const { promised } = topic.partitions[step.partition]!;
    const nextOffset = Math.floor(step.share * (promised + 1));
    const facts = this.world.commitsOf(this.world.commitKey(step.group, step.topic, step.partition));
    const noted = { nextOffset, acknowledged: false };
    facts.later.push(noted);
    await commit(this.life, step.group, step.topic, step.partition, nextOffset, step.durable);
    noted.acknowledged = true;
    if (!step.durable) return;
    const at = facts.later.indexOf(noted);
    if (at < 0) return;
    facts.durable = nextOffset;
    facts.later.splice(0, at + 1);
  }

  async #look(topic: string, partition: number, facts: TopicFacts): Promise<void> {
    const { logEnd, records } = await readPartition(this.life, topic, partition);
    const seen = (records.at(-1)?.offset ?? -1) + 1;
    if (seen > logEnd) throw new Error(`${topic}-${partition}: read up to ${seen}, the log ends at ${logEnd}`);
    this.#promise(facts, partition, seen);
  }

  async #deleteRecords(topic: string, partition: number, share: number, facts: TopicFacts): Promise<void> {
    const part = facts.partitions[partition]!;
    const before = part.deletedBefore + Math.floor(share * (part.promised - part.deletedBefore + 1));
    part.deletionAsked = Math.max(part.deletionAsked, before);
    part.deletedBefore = Math.max(part.deletedBefore, await this.life.engine.deleteRecords({ topic, partition }, before));
  }

  async #retain(topic: string, facts: TopicFacts): Promise<void> {
    await this.settled();
    const { engine } = this.life;
    for (const { partition, logEndOffset } of engine.describeTopic(topic).partitions) {
      const part = facts.partitions[partition];
      if (part !== undefined) part.deletionAsked = Math.max(part.deletionAsked, logEndOffset);
    }
    await this.step({ kind: "alter", topic, retentionBytes: 1 });
    await this.#noted(engine.maintain());
    for (const { partition, logStartOffset } of engine.describeTopic(topic).partitions) {
      const part = facts.partitions[partition];
      if (part !== undefined) part.deletedBefore = Math.max(part.deletedBefore, logStartOffset);
    }
    await this.step({ kind: "alter", topic, retentionBytes: 900_000 });
  }

  #promise({ config, partitions }: TopicFacts, partition: number, end: number): void {
    const facts = partitions[partition]!;
    facts.promised = Math.max(facts.promised, end);
    if (config.durability !== "os") facts.durable = facts.promised;
  }

  async #closeAndReopen(): Promise<void> {
    await this.settled();
    const { world } = this;
    await this.life.engine.close();
    // In order: every acknowledged byte and commit is durable, and the next open finds just that.
    for (const { partitions } of Object.values(world.topics)) for (const facts of partitions) facts.durable = facts.promised;
    for (const facts of Object.values(world.commits)) {
      const last = facts.later.findLastIndex((each) => each.acknowledged);
      if (last >= 0) facts.durable = facts.later[last]!.nextOffset;
      facts.later.splice(0, last + 1);
    }
    this.life = await this.#reopen();
    await world.check(this.life);
  }

  async #inFlight(work: Promise<void>, wait: boolean): Promise<void> {
    const noted = this.#noted(work);
    this.#waiting.push(noted);
    if (wait) await noted;
  }

  async #noted(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.errors.push(error);
    }
  }
}
