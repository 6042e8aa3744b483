/** What a commit was asked to cover, read out of what the caller gave: a record, a batch, or offsets spelled out. */
import type { NextOffset, TopicPartition } from "../api/bytes.ts";
import type { Delivered } from "../api/consumer.ts";
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import { BatchView } from "./batch-view.ts";

export interface CommitRequest {
  readonly offsets: readonly NextOffset[];
  /** A record or batch was delivered to this very consumer: it may be committed only while its partition is assigned. */
  readonly isDelivered: boolean;
}

interface Loose {
  readonly topic?: unknown;
  readonly partition?: unknown;
  readonly offset?: unknown;
  readonly lastOffset?: unknown;
  readonly nextOffset?: unknown;
}

export function commitRequest(upTo: Delivered | readonly NextOffset[]): CommitRequest {
  if (Array.isArray(upTo))
    return { offsets: upTo.map((each: unknown, index) => nextOffset(each, `commit: [${index}]`)), isDelivered: false };
  if (upTo instanceof BatchView) {
    // Behind its last record there may be offsets that compaction emptied: they are passed too.
    return { offsets: [{ topic: upTo.topic, partition: upTo.partition, nextOffset: upTo.slice.lastOffset + 1 }], isDelivered: true };
  }
  const given: Loose = isObject(upTo) ? (upTo as Loose) : {};
  const last = given.lastOffset ?? given.offset;
  if (given.nextOffset !== undefined || last === undefined) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      given.nextOffset === undefined
        ? `commit: expected a record, a batch or an array of { topic, partition, nextOffset }, found ${describeValue(upTo)}`
        : "commit: expected { topic, partition, nextOffset } in an array, found it bare: commit([{ … }])",
    );
  }
  return { offsets: [{ ...topicPartition(given, "commit"), nextOffset: offset(last, "commit: offset") + 1 }], isDelivered: true };
}

function nextOffset(given: unknown, where: string): NextOffset {
  const loose: Loose = isObject(given) ? given : {};
  if (loose.nextOffset === undefined && (loose.offset !== undefined || loose.lastOffset !== undefined)) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      `${where}: expected { topic, partition, nextOffset }, found a ${loose.offset === undefined ? "batch" : "record"}: commit(it) commits the offset after it, and commit() everything that poll() returned`,
    );
  }
  if (!isObject(given)) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected { topic, partition, nextOffset }, found ${describeValue(given)}`);
  }
  return { ...topicPartition(loose, where), nextOffset: offset(loose.nextOffset, `${where}: nextOffset`) };
}

function topicPartition({ topic, partition }: Loose, where: string): TopicPartition {
  if (typeof topic !== "string")
    throw new UsageError("INVALID_ARGUMENT", `${where}: topic: expected a string, found ${describeValue(topic)}`);
  if (!Number.isSafeInteger(partition) || (partition as number) < 0) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: partition: expected a whole number from 0, found ${describeValue(partition)}`);
  }
  return { topic, partition: partition as number };
}

function offset(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected a whole number from 0 to 2^53-1, found ${describeValue(value)}`);
  }
  return value as number;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
