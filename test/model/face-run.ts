/** One random program against a log and its model, each answer of the one compared with the other's. What differs is an `AssertionError`. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { CompressionType, Odradek } from "../../src/api/index.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import { memory, open } from "../../src/index.ts";
import { CODECS, COMPACTED, type Command, GROUPS, TOPIC_CODECS, TOPICS } from "./face-commands.ts";
import { ModelLog, ModelPartition, type ModelRecord, recordsOf } from "./face-model.ts";
import { transact } from "./face-transactions.ts";
import { refused } from "./refused.ts";

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
      await refused(this.log.describeTopic(topic), { name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
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
      await refused(making, { code: "TOPIC_ALREADY_EXISTS" });
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
      await refused(this.log.deleteTopic(topic), { code: "UNKNOWN_TOPIC_OR_PARTITION" });
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
    deepStrictEqual(new Map(described.map(({ clientId, quota }) => [clientId ?? "", quota.producerByteRate])), this.model.quotas);
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
    deepStrictEqual(
      sent.map(({ offset }) => offset),
      records.map((_, index) => base + index),
    );
    model.append(records);
    await producer.close();
  }

  async #read(topic: string, partition: number, model: ModelPartition, offset: number): Promise<void> {
    const reading = this.log.read({ topic, partition, offset }, { key: utf8, value: utf8 });
    if (offset < model.logStart) {
      await refused(reading, { name: "OffsetError", code: "OFFSET_OUT_OF_RANGE" });
      return;
    }
    const found = await reading;
    if (found === null && model.mayBeGone(offset)) return;
    const expected = model.at(offset);
    deepStrictEqual(found, expected === null ? null : { topic, partition, offset, headers: [], ...expected });
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
      ok(records.length <= count, `${records.length} records, ${count} were asked for`);
      seen.push(...records.map(({ offset, key, value, timestamp }) => ({ offset, record: { key, value, timestamp } })));
    }
    const found = new Set(seen.map(({ offset }) => offset));
    deepStrictEqual(
      seen,
      model.from(start).filter(({ offset }) => found.has(offset) || !model.mayBeGone(offset)),
    );
    await consumer.close();
  }

  async #time(topic: string, partition: number, model: ModelPartition, timestamp: number): Promise<void> {
    const consumer = this.log.consumer({ key: bytes, value: bytes });
    const found = await consumer.offsetForTime({ topic, partition }, timestamp);
    await consumer.close();
    const first = model.firstAtOrAfter(timestamp);
    // Compaction, and whose marks of ended transactions have a time, leave less to say.
    if (topic === COMPACTED) ok(found === null || (first !== null && found.offset >= first && found.timestamp >= timestamp));
    else strictEqual(found?.offset ?? null, first);
  }

  async #cut(topic: string, partition: number, model: ModelPartition, before: number): Promise<void> {
    const cutting = this.log.deleteRecords({ topic, partition }, before);
    if (topic === COMPACTED) {
      await refused(cutting, { code: "POLICY_VIOLATION" });
      return;
    }
    if (before > model.end) {
      await refused(cutting, { code: "OFFSET_OUT_OF_RANGE" });
      return;
    }
    model.logStart = Math.max(model.logStart, before);
    strictEqual(await cutting, model.logStart);
  }

  async #marks(topic: string, partition: number, model: ModelPartition): Promise<void> {
    const described = (await this.log.describeTopic(topic)).partitions[partition];
    const { logStartOffset, highWatermark, logEndOffset, lastStableOffset } = described ?? {};
    deepStrictEqual([logStartOffset, highWatermark, logEndOffset, lastStableOffset], [model.logStart, model.end, model.end, model.end]);
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
    strictEqual(await consumer.committed({ topic, partition }), this.model.committedOffset(group, topic, partition));
    await consumer.close();
  }

  async #table(topic: string, key: string): Promise<void> {
    if (topic !== COMPACTED) {
      await refused(this.log.table(topic), { code: "POLICY_VIOLATION" });
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
    for (const [name, values] of possible)
      ok(values.includes(held.get(name) ?? null), `${name}: found ${held.get(name)}, expected one of ${values.join(", ")}`);
    deepStrictEqual(
      [...held.keys()].filter((name) => !possible.has(name)),
      [],
    );
    strictEqual(await table.get(key), held.get(key));
    strictEqual(await table.has(key), held.has(key));
    await table.close();
  }
}
