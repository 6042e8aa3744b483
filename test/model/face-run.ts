/** One random program against a log and its model, each answer of the one compared with the other's. */
import { expect } from "vitest";
import type { CompressionType, Odradek } from "../../src/api/index.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import { memory, open } from "../../src/index.ts";
import { CODECS, COMPACTED, type Command, GROUPS, TOPIC_CODECS, TOPICS } from "./face-commands.ts";
import { ModelLog, ModelPartition, type ModelRecord, recordsOf } from "./face-model.ts";
import { transact } from "./face-transactions.ts";

type CommandOf<Do extends Command["do"]> = Extract<Command, { readonly do: Do }>;

export class FaceRun {
  readonly storage: ReturnType<typeof memory> = memory();
  readonly model: ModelLog = new ModelLog();
  log!: Odradek;

  async open(): Promise<void> {
    // Small segments, so that a program of a few records rolls several times.
    this.log = await open({
      storage: this.storage,
      topicDefaults: { segmentBytes: 400, indexIntervalBytes: 100, retentionMs: Number.POSITIVE_INFINITY, minCleanableDirtyRatio: 0 },
    });
  }

  async step(command: Command): Promise<void> {
    const topic = TOPICS[command.topic % TOPICS.length] as string;
    switch (command.do) {
      case "create":
        return await this.#create(topic, command);
      case "delete":
        return await this.#delete(topic);
      case "maintain":
        await this.log.maintain();
        return this.model.maintain();
      case "reopen":
        await this.log.close();
        return await this.open();
      case "quota":
        return await this.#quota(command);
    }
    const there = this.model.topics.get(topic);
    if (there === undefined) {
      await expect(this.log.describeTopic(topic)).rejects.toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
      return;
    }
    const partition = command.partition % there.partitions.length;
    const model = this.model.partition(topic, partition);
    switch (command.do) {
      case "send":
      case "sendBatch":
        return await this.#send(command, topic, partition, model);
      case "read":
        return await this.#read(topic, partition, model, command.at);
      case "poll":
        return await this.#poll(topic, partition, model, command.at, command.count);
      case "time":
        return await this.#time(topic, partition, model, command.at * 20);
      case "cut":
        return await this.#cut(topic, partition, model, command.at);
      case "marks":
        return await this.#marks(topic, partition, model);
      case "commit":
      case "committed":
        return await this.#offsets(command, topic, partition, model);
      case "table":
        return await this.#table(topic, `k${command.key}`);
      case "transact":
        return await transact(this, command, topic, partition);
    }
  }

  async #create(topic: string, { partitions, codec }: CommandOf<"create">): Promise<void> {
    const cleanupPolicy = topic === COMPACTED ? "compact" : "delete";
    const making = this.log.createTopic(topic, { partitions, cleanupPolicy, compressionType: TOPIC_CODECS[codec] });
    if (this.model.topics.has(topic)) {
      await expect(making).rejects.toMatchObject({ code: "TOPIC_ALREADY_EXISTS" });
      return;
    }
    await making;
    this.model.topics.set(topic, {
      isCompacted: topic === COMPACTED,
      partitions: Array.from({ length: partitions }, () => new ModelPartition()),
    });
  }

  async #delete(topic: string): Promise<void> {
    if (!this.model.topics.has(topic)) {
      await expect(this.log.deleteTopic(topic)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
      return;
    }
    await this.log.deleteTopic(topic);
    this.model.forget(topic);
  }

  /** So high that nobody is ever held back. */
  async #quota({ client, rate }: CommandOf<"quota">): Promise<void> {
    const name = client === 0 ? null : "c";
    await this.log.alterClientQuotas(name, { producerByteRate: rate });
    if (rate === null) this.model.quotas.delete(name ?? "");
    else this.model.quotas.set(name ?? "", rate);
    const described = await this.log.describeClientQuotas();
    expect(new Map(described.map(({ clientId, quota }) => [clientId ?? "", quota.producerByteRate]))).toEqual(this.model.quotas);
  }

  async #send(
    { do: how, values, timestamp, codec, idempotent }: CommandOf<"send" | "sendBatch">,
    topic: string,
    partition: number,
    model: ModelPartition,
  ): Promise<void> {
    const compressionType = CODECS[codec] as CompressionType;
    const producer = this.log.producer({ key: utf8, value: utf8, compressionType, enableIdempotence: idempotent, clientId: "c" });
    const records = recordsOf(topic, values, timestamp);
    const sends = records.map((record) => ({ topic, partition, ...record }));
    const base = model.end;
    const sent = how === "send" ? await Promise.all(sends.map((record) => producer.send(record))) : await producer.sendBatch(sends);
    expect(sent.map(({ offset }) => offset)).toEqual(records.map((_, index) => base + index));
    model.append(records);
    await producer.close();
  }

  async #read(topic: string, partition: number, model: ModelPartition, offset: number): Promise<void> {
    const reading = this.log.read({ topic, partition, offset }, { key: utf8, value: utf8 });
    if (offset < model.logStart) {
      await expect(reading).rejects.toMatchObject({ name: "OffsetError", code: "OFFSET_OUT_OF_RANGE" });
      return;
    }
    const found = await reading;
    if (found === null && model.mayBeGone(offset)) return;
    const expected = model.at(offset);
    expect(found).toEqual(expected === null ? null : { topic, partition, offset, headers: [], ...expected });
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
    const found = new Set(seen.map(({ offset }) => offset));
    expect(seen).toEqual(model.from(start).filter(({ offset }) => found.has(offset) || !model.mayBeGone(offset)));
    await consumer.close();
  }

  async #time(topic: string, partition: number, model: ModelPartition, timestamp: number): Promise<void> {
    const consumer = this.log.consumer({ key: bytes, value: bytes });
    const found = await consumer.offsetForTime({ topic, partition }, timestamp);
    await consumer.close();
    const first = model.firstAtOrAfter(timestamp);
    // Compaction, and whose marks of ended transactions have a time, leave less to say.
    if (topic === COMPACTED) expect(found === null || (first !== null && found.offset >= first && found.timestamp >= timestamp)).toBe(true);
    else expect(found?.offset ?? null).toBe(first);
  }

  async #cut(topic: string, partition: number, model: ModelPartition, before: number): Promise<void> {
    const cutting = this.log.deleteRecords({ topic, partition }, before);
    if (topic === COMPACTED) {
      await expect(cutting).rejects.toMatchObject({ code: "POLICY_VIOLATION" });
      return;
    }
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
    { do: what, group: number, at }: CommandOf<"commit" | "committed">,
    topic: string,
    partition: number,
    model: ModelPartition,
  ): Promise<void> {
    const group = GROUPS[number % GROUPS.length] as string;
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

  async #table(topic: string, key: string): Promise<void> {
    if (topic !== COMPACTED) {
      await expect(this.log.table(topic)).rejects.toMatchObject({ code: "POLICY_VIOLATION" });
      return;
    }
    const table = await this.log.table(topic, { key: utf8, value: utf8 });
    const entries: [string, string][] = [];
    for await (const entry of table.entries()) entries.push(entry);
    // A key's partition is the program's choice here, so that it may stand in several: what was appended last is anybody's guess.
    const partitions = this.model.topics.get(topic)?.partitions ?? [];
    const possible = new Map<string, (string | null)[]>();
    for (const partition of partitions) {
      for (const [name, offset] of partition.newest()) {
        possible.set(name as string, [...(possible.get(name as string) ?? []), (partition.at(offset) as ModelRecord).value]);
      }
    }
    const held = new Map(entries);
    for (const [name, values] of possible) expect(values, name).toContainEqual(held.get(name) ?? null);
    expect([...held.keys()].filter((name) => !possible.has(name))).toEqual([]);
    expect(await table.get(key)).toBe(held.get(key));
    expect(await table.has(key)).toBe(held.has(key));
    await table.close();
  }
}
