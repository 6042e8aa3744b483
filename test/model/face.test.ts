/**
 * The model test of the face: random programs of sends, reads, commits, cuts and reopenings, each answer compared with an array's.
 * The number of commands that ran is counted and held to a floor; the seed is printed, and FC_SEED runs one again.
 */
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Odradek } from "../../src/api/index.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import { memory, open } from "../../src/index.ts";
import { ModelLog, ModelPartition } from "./face-model.ts";

const TOPICS = ["alpha", "beta"] as const;
const GROUPS = ["g1", "g2"] as const;
const COMMANDS_MIN = 200_000;
const seed = Number(process.env.FC_SEED ?? Date.now() % 2 ** 31);

type Command =
  | { readonly do: "create" | "delete" | "maintain" | "reopen"; readonly topic: number; readonly partitions: number }
  | {
      readonly do: "send" | "sendBatch";
      readonly topic: number;
      readonly partition: number;
      readonly values: readonly (string | null)[];
      readonly timestamp: number;
    }
  | {
      readonly do: "read" | "poll" | "time" | "cut" | "marks";
      readonly topic: number;
      readonly partition: number;
      readonly at: number;
      readonly count: number;
    }
  | {
      readonly do: "commit" | "committed";
      readonly group: number;
      readonly topic: number;
      readonly partition: number;
      readonly at: number;
    };

const small = fc.nat({ max: 3 });
const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("create", "delete", "maintain", "reopen"),
      topic: small,
      partitions: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("send", "sendBatch"),
      topic: small,
      partition: small,
      values: fc.array(fc.option(fc.string({ maxLength: 40 })), { minLength: 1, maxLength: 6 }),
      timestamp: fc.integer({ min: 0, max: 1000 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom("read", "poll", "time", "cut", "marks"),
      topic: small,
      partition: small,
      at: fc.nat({ max: 60 }),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("commit", "committed"),
      group: small,
      topic: small,
      partition: small,
      at: fc.nat({ max: 60 }),
    }),
  },
) as fc.Arbitrary<Command>;

let ran = 0;
const ranOf: Record<string, number> = {};

/** One program against a log and its model. */
class Run {
  readonly storage: ReturnType<typeof memory> = memory();
  readonly model: ModelLog = new ModelLog();
  log!: Odradek;

  async open(): Promise<void> {
    // Small segments, so that a program of a few records rolls several times.
    this.log = await open({
      storage: this.storage,
      topicDefaults: { segmentBytes: 400, indexIntervalBytes: 100, retentionMs: Number.POSITIVE_INFINITY },
    });
  }

  async step(command: Command): Promise<void> {
    const topic = TOPICS[command.topic % TOPICS.length] as string;
    if ("partitions" in command) return this.#upkeep(command.do, topic, command.partitions);
    const partitions = this.model.topics.get(topic);
    if (partitions === undefined) {
      await expect(this.log.describeTopic(topic)).rejects.toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
      return;
    }
    const partition = command.partition % partitions.length;
    const model = this.model.partition(topic, partition);
    if ("group" in command) {
      return this.#offsets(command.do, GROUPS[command.group % GROUPS.length] as string, topic, partition, model, command.at);
    }
    if ("values" in command) return this.#send(command, topic, partition, model);
    switch (command.do) {
      case "read":
        return this.#read(topic, partition, model, command.at);
      case "poll":
        return this.#poll(topic, partition, model, command.at, command.count);
      case "time":
        return this.#time(topic, partition, model, command.at * 20);
      case "cut":
        return this.#cut(topic, partition, model, command.at);
      case "marks":
        return this.#marks(topic, partition, model);
    }
  }

  async #upkeep(what: "create" | "delete" | "maintain" | "reopen", topic: string, partitions: number): Promise<void> {
    switch (what) {
      case "create":
        return this.#create(topic, partitions);
      case "maintain":
        await this.log.maintain();
        return;
      case "reopen":
        await this.log.close();
        return this.open();
      case "delete":
        if (!this.model.topics.has(topic)) {
          await expect(this.log.deleteTopic(topic)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
          return;
        }
        await this.log.deleteTopic(topic);
        this.model.forget(topic);
    }
  }

  async #create(topic: string, partitions: number): Promise<void> {
    const making = this.log.createTopic(topic, { partitions });
    if (this.model.topics.has(topic)) {
      await expect(making).rejects.toMatchObject({ code: "TOPIC_ALREADY_EXISTS" });
      return;
    }
    await making;
    this.model.topics.set(
      topic,
      Array.from({ length: partitions }, () => new ModelPartition()),
    );
  }

  async #send(command: Extract<Command, { values: unknown }>, topic: string, partition: number, model: ModelPartition): Promise<void> {
    const producer = this.log.producer({ key: utf8, value: utf8 });
    const records = command.values.map((value, index) => ({
      topic,
      partition,
      key: index % 2 === 0 ? `k${index}` : null,
      value,
      timestamp: command.timestamp + index,
    }));
    const base = model.end;
    const sent =
      command.do === "send" ? await Promise.all(records.map((record) => producer.send(record))) : await producer.sendBatch(records);
    expect(sent.map(({ offset }) => offset)).toEqual(records.map((_, index) => base + index));
    for (const { key, value, timestamp } of records) model.records.push({ key, value, timestamp });
    await producer.close();
  }

  async #read(topic: string, partition: number, model: ModelPartition, offset: number): Promise<void> {
    const reading = this.log.read({ topic, partition, offset }, { key: utf8, value: utf8 });
    if (offset < model.logStart) {
      await expect(reading).rejects.toMatchObject({ name: "OffsetError", code: "OFFSET_OUT_OF_RANGE" });
      return;
    }
    const expected = model.records[offset];
    expect(await reading).toEqual(expected === undefined ? null : { topic, partition, offset, headers: [], ...expected });
  }

  async #poll(topic: string, partition: number, model: ModelPartition, at: number, count: number): Promise<void> {
    const consumer = this.log.consumer({ key: utf8, value: utf8, fetchMaxBytes: 300, maxPollRecords: count });
    await consumer.assign([{ topic, partition }]);
    const start = Math.min(at, model.end);
    consumer.seek({ topic, partition }, Math.max(start, model.logStart));
    const seen: { offset: number; record: unknown }[] = [];
    for (;;) {
      const records = await consumer.poll({ timeoutMs: 0 });
      if (records.length === 0) break;
      expect(records.length).toBeLessThanOrEqual(count);
      seen.push(...records.map(({ offset, key, value, timestamp }) => ({ offset, record: { key, value, timestamp } })));
    }
    expect(seen).toEqual(model.from(start, Number.POSITIVE_INFINITY));
    await consumer.close();
  }

  async #time(topic: string, partition: number, model: ModelPartition, timestamp: number): Promise<void> {
    const consumer = this.log.consumer({ key: bytes, value: bytes });
    const found = await consumer.offsetForTime({ topic, partition }, timestamp);
    expect(found?.offset ?? null).toBe(model.firstAtOrAfter(timestamp));
    await consumer.close();
  }

  async #cut(topic: string, partition: number, model: ModelPartition, before: number): Promise<void> {
    const cutting = this.log.deleteRecords({ topic, partition }, before);
    if (before > model.end) {
      await expect(cutting).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
      return;
    }
    model.logStart = Math.max(model.logStart, before);
    expect(await cutting).toBe(model.logStart);
  }

  async #marks(topic: string, partition: number, model: ModelPartition): Promise<void> {
    const described = (await this.log.describeTopic(topic)).partitions[partition];
    expect(described).toMatchObject({
      logStartOffset: model.logStart,
      highWatermark: model.end,
      logEndOffset: model.end,
      lastStableOffset: model.end,
    });
  }

  async #offsets(
    what: "commit" | "committed",
    group: string,
    topic: string,
    partition: number,
    model: ModelPartition,
    at: number,
  ): Promise<void> {
    const consumer = this.log.consumer({ groupId: group, key: bytes, value: bytes, enableAutoCommit: false });
    await consumer.assign([{ topic, partition }]);
    if (what === "commit") {
      const nextOffset = Math.min(at, model.end);
      await consumer.commit([{ topic, partition, nextOffset }]);
      this.model.commit(group, topic, partition, nextOffset);
    }
    expect(await consumer.committed({ topic, partition })).toBe(this.model.committedOffset(group, topic, partition));
    await consumer.close();
  }
}

describe("the face against an array", () => {
  afterAll(() => console.log(`face model: ${ran} commands (seed ${seed}): ${JSON.stringify(ranOf)}`));

  it(`answers as an array does, in at least ${COMMANDS_MIN} commands`, { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(commands, { minLength: 150, maxLength: 400, size: "max" }), async (program) => {
        const run = new Run();
        await run.open();
        for (const command of [{ do: "create", topic: 0, partitions: 2 } as Command, ...program]) {
          await run.step(command);
          ran += 1;
          ranOf[command.do] = (ranOf[command.do] ?? 0) + 1;
        }
        await run.log.close();
      }),
      // A counterexample is shrunk for so long at most: the smallest found by then is told, with its seed and path.
      { seed, numRuns: 900, interruptAfterTimeLimit: 540_000, markInterruptAsFailure: true },
    );
    expect(ran).toBeGreaterThanOrEqual(COMMANDS_MIN);
  });
});
