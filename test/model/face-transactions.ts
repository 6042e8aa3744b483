/** A transaction of a random program: some partitions, perhaps a group's offsets, and an end of the one kind or the other. */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { CompressionType } from "../../src/api/index.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import { CODECS, type Command, GROUPS, TOPICS } from "./face-commands.ts";
import { type ModelPartition, type ModelRecord, recordsOf } from "./face-model.ts";
import type { FaceRun } from "./face-run.ts";

type Transact = Extract<Command, { readonly do: "transact" }>;

class ChangeOfMind extends Error {}

interface Part {
  readonly topic: string;
  readonly partition: number;
  readonly model: ModelPartition;
  readonly records: readonly ModelRecord[];
}

/** `topic` and `partition`: what the group reads. */
export async function transact(run: FaceRun, command: Transact, topic: string, partition: number): Promise<void> {
  const { log, model } = run;
  const parts: Part[] = command.parts.flatMap((part) => {
    const name = TOPICS[part.topic % TOPICS.length] as string;
    const there = model.topics.get(name);
    if (there === undefined) return [];
    const number = part.partition % there.partitions.length;
    return [
      { topic: name, partition: number, model: model.partition(name, number), records: recordsOf(name, part.values, command.timestamp) },
    ];
  });
  const producer = log.producer({
    key: utf8,
    value: utf8,
    transactionalId: "t",
    compressionType: CODECS[command.codec] as CompressionType,
  });
  const group = command.reads === null ? null : (GROUPS[command.reads.group % GROUPS.length] as string);
  const consumer = group === null ? null : log.consumer({ groupId: group, key: bytes, value: bytes, enableAutoCommit: false });
  let delivered = 0;
  let isAny = false;
  if (consumer !== null && command.reads !== null) {
    const read = model.partition(topic, partition);
    await consumer.assign([{ topic, partition }]);
    delivered = Math.max(read.logStart, Math.min(command.reads.at, read.end));
    consumer.seek({ topic, partition }, delivered);
    const records = await consumer.poll({ timeoutMs: 0, maxRecords: command.reads.count });
    isAny = records.length > 0;
    if (isAny) delivered = (records.at(-1)?.offset as number) + 1;
  }
  const ends = new Map<ModelPartition, number>(parts.map((part) => [part.model, part.model.end]));
  const running = producer.transaction(async (tx) => {
    const sent = parts.map(async (part) => {
      const answers = await tx.sendBatch(part.records.map((record) => ({ topic: part.topic, partition: part.partition, ...record })));
      const base = ends.get(part.model) as number;
      ends.set(part.model, base + answers.length);
      deepStrictEqual(
        answers.map(({ offset }) => offset),
        part.records.map((_, index) => base + index),
      );
    });
    await Promise.all(sent);
    if (consumer !== null) tx.commitOffsets(consumer);
    if (!command.commits) throw new ChangeOfMind();
    return "done";
  });
  if (command.commits) strictEqual(await running, "done");
  else await rejects(running, ChangeOfMind);
  for (const part of parts) part.model.append(part.records, command.commits ? "record" : "aborted");
  for (const touched of ends.keys()) touched.mark();
  if (consumer !== null && group !== null) {
    const committed = await consumer.committed({ topic, partition });
    const before = model.committedOffset(group, topic, partition);
    if (command.commits && (isAny || committed !== before)) {
      // Beyond what was delivered at most what nobody is ever given: marks, and what was taken back or compacted away.
      const read = model.partition(topic, partition);
      ok(committed !== null && committed >= delivered, `committed ${committed}, delivered up to ${delivered}`);
      for (let offset = delivered; offset < (committed as number); offset += 1)
        ok(read.at(offset) === null || read.mayBeGone(offset), `${offset} was not delivered`);
      model.commit(group, topic, partition, committed as number);
    } else strictEqual(committed, before);
  }
  await consumer?.close();
  await producer.close();
}
