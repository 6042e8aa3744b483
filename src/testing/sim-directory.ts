/** What a simulated disk holds of one directory: the durable entries, and every change since that no flush has covered. */
import type { SimFile } from "./sim-file.ts";

export type SimNode = SimFile | SimDirectory;

/** One change: the names it sets, together or not at all. */
export interface DirectoryChange {
  readonly time: number;
  readonly sets: readonly (readonly [name: string, node: SimNode | null])[];
}

export class SimDirectory {
  readonly kind = "directory";
  readonly #current: Map<string, SimNode>;
  #durable: Map<string, SimNode>;
  #changes: DirectoryChange[] = [];

  constructor(durable: Iterable<readonly [string, SimNode]> = []) {
    this.#durable = new Map(durable);
    this.#current = new Map(this.#durable);
  }

  get entries(): ReadonlyMap<string, SimNode> {
    return this.#current;
  }

  get durableEntries(): ReadonlyMap<string, SimNode> {
    return this.#durable;
  }

  get changes(): readonly DirectoryChange[] {
    return this.#changes;
  }

  change(time: number, ...sets: DirectoryChange["sets"]): void {
    this.#changes.push({ time, sets });
    set(this.#current, sets);
  }

  /** A flush: what was changed up to `time` is durable. */
  flush(time: number): void {
    this.#durable = new Map(this.#durable);
    for (const change of this.#changes) if (change.time <= time) set(this.#durable, change.sets);
    this.#changes = this.#changes.filter((change) => change.time > time);
  }

  /** A flush that failed: what was changed up to `time` is seen, and no later flush writes it. */
  loseChanges(time: number): void {
    this.#changes = this.#changes.filter((change) => change.time > time);
  }

  /** The entries after a loss of power that the changes with these numbers outlived; of a half only the names that it made. */
  surviving(outlived: ReadonlyMap<number, "whole" | "half">): Map<string, SimNode> {
    const entries = new Map(this.#durable);
    for (const [at, half] of outlived) {
      const { sets } = this.#changes[at] as DirectoryChange;
      set(entries, half === "half" ? sets.filter(([, node]) => node !== null) : sets);
    }
    return entries;
  }

  /** For each change the earlier ones on the same names: it cannot outlive a crash without them. */
  dependencies(): number[][] {
    return this.#changes.map((change, at) => {
      const names = new Set(change.sets.map(([name]) => name));
      const earlier: number[] = [];
      for (let before = 0; before < at; before++) {
        if (this.#changes[before]!.sets.some(([name]) => names.has(name))) earlier.push(before);
      }
      return earlier;
    });
  }

  /** The same directory with every node exchanged for another. */
  map(exchange: (node: SimNode) => SimNode): SimDirectory {
    const copy = new SimDirectory();
    copy.#durable = new Map([...this.#durable].map(([name, node]) => [name, exchange(node)]));
    for (const [name, node] of this.#current) copy.#current.set(name, exchange(node));
    copy.#changes = this.#changes.map((change) => ({
      time: change.time,
      sets: change.sets.map(([name, node]) => [name, node === null ? null : exchange(node)] as const),
    }));
    return copy;
  }
}

function set(entries: Map<string, SimNode>, sets: DirectoryChange["sets"]): void {
  // Removed first, so that a rename onto itself keeps its file.
  for (const [name, node] of sets) if (node === null) entries.delete(name);
  for (const [name, node] of sets) if (node !== null) entries.set(name, node);
}

/** The directory as a process finds it after another one died: nothing lost, and nothing made durable by it. */
export function cloneDirectory(root: SimDirectory): SimDirectory {
  const made = new Map<SimNode, SimNode>();
  const clone = (node: SimNode): SimNode => {
    let copy = made.get(node);
    if (copy === undefined) {
      copy = node.kind === "file" ? node.clone() : node.map(clone);
      made.set(node, copy);
    }
    return copy;
  };
  return root.map(clone);
}
