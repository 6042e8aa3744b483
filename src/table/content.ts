/** The newest record of each key. Pure: it is told of records in the order of their offsets, and of where logs begin. */
import type { Entry } from "./entry.ts";

export class Content {
  readonly #entries: Map<string, Entry> = new Map();
  /** By partition: what lies below was deleted from the log. */
  readonly #starts: number[] = [];
  /** Tombstones are kept until all partitions were read once: one may be read before the older value it deletes, from another partition. */
  #isFilling = true;
  #needsSweep = false;

  /** Whether the entry is the newest of its key now. Of two partitions the later timestamp counts, then the higher number. */
  put(entry: Entry): boolean {
    const held = this.#entries.get(entry.key);
    if (held !== undefined && !isNewer(entry, held)) return false;
    if (entry.value !== null || this.#isFilling) this.#entries.set(entry.key, entry);
    else this.#entries.delete(entry.key);
    return true;
  }

  /** All partitions were read to the ends they had. */
  filled(): void {
    if (!this.#isFilling) return;
    this.#isFilling = false;
    this.#needsSweep = true;
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#stands(entry) ? entry : undefined;
  }

  /** Records below are gone from the partition, and with them what they said. */
  beginsAt(partition: number, offset: number): void {
    if (offset <= (this.#starts[partition] ?? 0)) return;
    this.#starts[partition] = offset;
    this.#needsSweep = true;
  }

  /** All that stand now, in no order: what comes later does not change it. One reference a key. */
  snapshot(): Entry[] {
    const entries: Entry[] = [];
    for (const entry of this.#entries.values()) if (this.#stands(entry)) entries.push(entry);
    return entries;
  }

  /** Drops what does not stand any more; a step at a time, since a table may be large. */
  *sweep(stepCount: number): Generator<void> {
    if (!this.#needsSweep) return;
    this.#needsSweep = false;
    let left = stepCount;
    for (const entry of this.#entries.values()) {
      if (!this.#stands(entry)) this.#entries.delete(entry.key);
      if (--left > 0) continue;
      left = stepCount;
      yield;
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #stands(entry: Entry): boolean {
    return entry.value !== null && entry.offset >= (this.#starts[entry.partition] ?? 0);
  }
}

function isNewer(entry: Entry, held: Entry): boolean {
  if (entry.partition === held.partition) return entry.offset > held.offset;
  return entry.timestamp > held.timestamp || (entry.timestamp === held.timestamp && entry.partition > held.partition);
}
