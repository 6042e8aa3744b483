/** What a workload wrote and what became of it: says what a reader of each isolation level must find, and what compaction may leave. */
import type { GroupOffset, Isolation } from "./kafka-clients.ts";
import type { RawRecord } from "./record-hash.ts";

/** A transaction, shared by all that was written in it. */
export interface Fate {
  state: "open" | "committed" | "aborted";
}
export const settled: Fate = { state: "committed" };

interface Written {
  readonly record: RawRecord;
  readonly fate: Fate;
}

export class History {
  readonly #partitions = new Map<string, Written[]>();
  readonly #offsets = new Map<string, { readonly offset: GroupOffset; readonly fate: Fate }[]>();

  add(topic: string, partition: number, record: RawRecord, fate: Fate): void {
    const name = `${topic}-${partition}`;
    const all = this.#partitions.get(name) ?? [];
    all.push({ record, fate });
    this.#partitions.set(name, all);
  }

  addOffsets(group: string, offsets: readonly GroupOffset[], fate: Fate): void {
    const all = this.#offsets.get(group) ?? [];
    all.push(...offsets.map((offset) => ({ offset, fate })));
    this.#offsets.set(group, all);
  }

  /** A kill, or an opening, takes back what was begun. */
  abortOpen(): void {
    for (const { fate } of [...this.#partitions.values(), ...this.#offsets.values()].flat())
      if (fate.state === "open") fate.state = "aborted";
  }

  /** What a reader finds in a log that was never compacted. */
  records(topic: string, partition: number, isolation: Isolation): readonly RawRecord[] {
    const all = this.#sorted(topic, partition);
    if (isolation === "read_uncommitted") return all.map(({ record }) => record);
    const end = this.stableEnd(topic, partition);
    return all.filter(({ record, fate }) => fate.state === "committed" && record.offset < end).map(({ record }) => record);
  }

  /** Where the earliest open transaction begins: the last stable offset. */
  stableEnd(topic: string, partition: number): number {
    const open = this.#sorted(topic, partition).find(({ fate }) => fate.state === "open");
    return open?.record.offset ?? Number.POSITIVE_INFINITY;
  }

  /** The newest commit of each partition that no transaction holds back, `topic partition nextOffset`, sorted. */
  offsets(group: string): string[] {
    const newest = new Map<string, number>();
    for (const { offset, fate } of this.#offsets.get(group) ?? [])
      if (fate.state === "committed") newest.set(`${offset.topic} ${offset.partition}`, offset.nextOffset);
    return [...newest].map(([name, nextOffset]) => `${name} ${nextOffset}`).sort();
  }

  /** What is wrong with these records, as `recordLine` makes them, as a compacted form of what was written; empty: nothing. */
  compactionFaults(topic: string, partition: number, found: readonly string[]): string[] {
    const faults: string[] = [];
    const written = new Map(this.records(topic, partition, "read_committed").map((record) => [record.offset, record]));
    const newest = new Map<string, RawRecord>();
    for (const record of written.values()) newest.set(recordKey(record), record);
    let last = -1;
    const present = new Set<number>();
    for (const line of found) {
      const offset = Number.parseInt(line, 10);
      if (offset <= last) faults.push(`${offset} after ${last}`);
      last = offset;
      present.add(offset);
      const original = written.get(offset);
      if (original === undefined) faults.push(`${offset} was never committed`);
      else if (recordLine(original) !== line) faults.push(`${offset} is not what was written`);
    }
    for (const record of newest.values())
      if (record.value !== null && !present.has(record.offset)) faults.push(`${recordKey(record)} at ${record.offset} is lost`);
    return faults;
  }

  #sorted(topic: string, partition: number): readonly Written[] {
    return (this.#partitions.get(`${topic}-${partition}`) ?? []).sort((a, b) => a.record.offset - b.record.offset);
  }
}

function recordKey({ key }: RawRecord): string {
  return key === null ? "null" : Buffer.from(key).toString("hex");
}

/** A record as a line: a list of them is compared quickly, and its difference can be read. */
export function recordLine({ offset, timestamp, key, value, headers }: RawRecord): string {
  const text = (bytes: Uint8Array | null): string => (bytes === null ? "null" : `"${Buffer.from(bytes).toString("base64")}"`);
  return [offset, timestamp, text(key), text(value), ...headers.map(([name, each]) => `${name}=${text(each)}`)].join(" ");
}
