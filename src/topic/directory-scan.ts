/** What the entries of a data directory are: partitions by topic, things of others to leave alone, and oddities. Pure. */
import type { StorageEntry } from "../api/storage-driver.ts";
import { parsePartitionDirectoryName } from "../log/files/file-names.ts";
import { METADATA_TOPIC } from "./topic-name.ts";

export interface ScannedTopic {
  /** One more than the largest partition found. */
  readonly partitionCount: number;
  /** Ascending. */
  readonly present: readonly number[];
  /** Below the largest, but not there; ascending, the first `MISSING_TOLD_MAX` of them. */
  readonly missing: readonly number[];
}

export interface DirectoryScan {
  readonly topics: ReadonlyMap<string, ScannedTopic>;
  /** Known to be Kafka's or left by it in passing: `-delete`, `-stray`, `-future`, the metadata log, the tiered cache. */
  readonly foreign: readonly string[];
  /** What belongs here by no rule; a broker refuses to start beside some of it. Never touched. */
  readonly suspicious: readonly { readonly name: string; readonly reason: string }[];
}

/** A single directory named like partition 2^31-1 must not make a list of two thousand million gaps. */
export const MISSING_TOLD_MAX = 100;

const TIERED_CACHE = "remote-log-index-cache";

/** Plain files at the top are the books, ours or Kafka's, and are not looked at, unless one bears a partition's name. */
export function scanDirectory(entries: readonly StorageEntry[]): DirectoryScan {
  const partitions = new Map<string, number[]>();
  const foreign: string[] = [];
  const suspicious: { name: string; reason: string }[] = [];
  for (const { name, kind } of entries) {
    const parsed = parsePartitionDirectoryName(name);
    if (kind !== "directory") {
      if (parsed !== null)
        suspicious.push({ name, reason: `named like a partition's directory, but it is ${kind === "file" ? "a file" : "no directory"}` });
    } else if (name === TIERED_CACHE) foreign.push(name);
    else if (parsed === null)
      suspicious.push({ name, reason: "a directory that is no partition's; a Kafka broker would refuse to start beside it" });
    else if (parsed.suffix !== "" || parsed.topic === METADATA_TOPIC) foreign.push(name);
    else partitions.set(parsed.topic, [...(partitions.get(parsed.topic) ?? []), parsed.partition]);
  }
  const topics = new Map<string, ScannedTopic>();
  for (const [topic, found] of [...partitions].sort(([left], [right]) => (left < right ? -1 : 1))) topics.set(topic, scanned(found));
  return { topics, foreign: foreign.sort(), suspicious };
}

function scanned(found: readonly number[]): ScannedTopic {
  const present = [...found].sort((left, right) => left - right);
  const missing: number[] = [];
  let next = 0;
  for (const partition of present) {
    for (; next < partition && missing.length < MISSING_TOLD_MAX; next++) missing.push(next);
    next = partition + 1;
  }
  return { partitionCount: (present.at(-1) as number) + 1, present, missing };
}
