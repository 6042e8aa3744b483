/** The names of the files and directories of a partition: Kafka's grammar, strictly. What does not fit it is not ours to touch. */
import { OdradekError } from "../../base/errors.ts";

/** Kafka's five kinds, and `seal`, which is ours. */
export type SegmentFileKind = "log" | "index" | "timeindex" | "txnindex" | "snapshot" | "seal";

/** "": in use. `deleted`: waits for its removal. `cleaned`, `swap`: a rewrite under way, a rewrite being put in place. */
export type SegmentFileSuffix = "" | "deleted" | "cleaned" | "swap";

export interface SegmentFileName {
  readonly baseOffset: number;
  readonly kind: SegmentFileKind;
  readonly suffix: SegmentFileSuffix;
}

/** "": a live partition. `delete`, `stray`, `future`: Kafka's own, left alone. */
export type PartitionDirectorySuffix = "" | "delete" | "stray" | "future";

export interface PartitionDirectoryName {
  readonly topic: string;
  readonly partition: number;
  readonly suffix: PartitionDirectorySuffix;
}

/** Kafka's limit, so that a directory name with partition and uuid stays within 255 bytes. */
export const TOPIC_NAME_LENGTH_MAX = 249;
export const PARTITION_MAX: number = 2 ** 31 - 1;

const OFFSET_DIGITS = 20;
const SEGMENT_FILE = /^([0-9]{20})\.(log|index|timeindex|txnindex|snapshot|seal)(?:\.(deleted|cleaned|swap))?$/;
// Greedy: the last "-" separates. A leading zero is refused, since no writer makes one and "a-0" and "a-00" would be one partition.
const PARTITION_DIRECTORY = /^(.+)-(0|[1-9][0-9]{0,9})(?:\.[0-9a-f]{32}-(delete|stray|future))?$/;
const TOPIC_NAME = /^[a-zA-Z0-9._-]+$/;

/** `00000000000000004096.log`. The base offset is a lower bound: no record in the file has a smaller one. */
export function segmentFileName(baseOffset: number, kind: SegmentFileKind): string {
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) {
    throw new OdradekError("UNKNOWN_SERVER_ERROR", `segment file name: expected a base offset from 0 to 2^53-1, found ${baseOffset}`);
  }
  return `${String(baseOffset).padStart(OFFSET_DIGITS, "0")}.${kind}`;
}

/** null for anything that is not exactly such a name, among them offsets above 2^53-1. */
export function parseSegmentFileName(name: string): SegmentFileName | null {
  const match = SEGMENT_FILE.exec(name);
  if (match === null) return null;
  const baseOffset = Number(match[1]);
  if (!Number.isSafeInteger(baseOffset)) return null;
  return { baseOffset, kind: match[2] as SegmentFileKind, suffix: (match[3] ?? "") as SegmentFileSuffix };
}

/** The rule Kafka has for a topic's name, and nothing more: what may be read. What may be made is stricter (topic/topic-name). */
export function isTopicName(name: string): boolean {
  return name.length <= TOPIC_NAME_LENGTH_MAX && name !== "." && name !== ".." && TOPIC_NAME.test(name);
}

export function partitionDirectoryName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** null for anything that no broker would have made. With the suffix `delete` the topic may be cut short, as Kafka cuts it. */
export function parsePartitionDirectoryName(name: string): PartitionDirectoryName | null {
  const match = PARTITION_DIRECTORY.exec(name);
  if (match === null) return null;
  const topic = match[1] as string;
  const partition = Number(match[2]);
  if (partition > PARTITION_MAX || !isTopicName(topic)) return null;
  return { topic, partition, suffix: (match[3] ?? "") as PartitionDirectorySuffix };
}
