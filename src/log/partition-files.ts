/** The files of a partition directory: which segments there are, and the tidying that a rewrite cut short by a crash leaves to do. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { parseSegmentFileName, type SegmentFileKind, type SegmentFileName, segmentFileName } from "./file-names.ts";
import { inDirectory } from "./replace-file.ts";

/** What belongs to one segment, in the order in which it is removed: without its `.log` a segment is gone. */
const KINDS: readonly SegmentFileKind[] = ["log", "index", "timeindex", "txnindex", "snapshot", "seal"];
/** What means nothing without a `.log` beside it. */
const DERIVED: ReadonlySet<SegmentFileKind> = new Set(["index", "timeindex", "txnindex", "seal"]);

export interface PartitionFiles {
  /** Ascending. */
  readonly baseOffsets: readonly number[];
  readonly names: ReadonlySet<string>;
}

/** Reads alone. Files that are no segment's are passed over: not ours to touch. */
export async function listPartitionFiles(storage: StorageDriver, directory: string): Promise<PartitionFiles> {
  const names = new Set<string>();
  const baseOffsets: number[] = [];
  for (const { name, kind } of await storage.list(directory)) {
    if (kind !== "file") continue;
    names.add(name);
    const parsed = parseSegmentFileName(name);
    if (parsed?.kind === "log" && parsed.suffix === "") baseOffsets.push(parsed.baseOffset);
  }
  baseOffsets.sort((left, right) => left - right);
  return { baseOffsets, names };
}

/**
 * Kafka's steps A, B and C (storage-format.md 6): removes `.deleted` and `.cleaned`, finishes swaps, removes derived files
 * without a log. `endOfSwap` says up to which offset the segment in a `.log.swap` file reaches.
 */
export async function tidyPartitionFiles(
  storage: StorageDriver,
  directory: string,
  endOfSwap: (name: string, baseOffset: number) => Promise<number>,
): Promise<void> {
  let changed = false;
  const remove = async (name: string): Promise<void> => {
    changed = true;
    await storage.remove(inDirectory(directory, name));
  };
  const listed = async (): Promise<(SegmentFileName & { readonly name: string })[]> => {
    const found: (SegmentFileName & { readonly name: string })[] = [];
    for (const { name, kind } of await storage.list(directory)) {
      const parsed = kind === "file" ? parseSegmentFileName(name) : null;
      if (parsed !== null) found.push({ ...parsed, name });
    }
    return found;
  };
  let files = await listed();
  const cleanedFrom = Math.min(...files.filter((file) => file.suffix === "cleaned").map((file) => file.baseOffset));
  for (const { name, suffix, baseOffset } of files) {
    const isUnfinishedSplit = suffix === "swap" && baseOffset >= cleanedFrom;
    if (suffix === "deleted" || suffix === "cleaned" || isUnfinishedSplit) await remove(name);
  }
  files = await listed();
  for (const swap of files.filter((file) => file.suffix === "swap" && file.kind === "log")) {
    const end = await endOfSwap(swap.name, swap.baseOffset);
    for (const { name, suffix, baseOffset } of files) {
      if (suffix === "" && baseOffset >= swap.baseOffset && baseOffset < end) await remove(name);
    }
  }
  for (const { name, kind, baseOffset } of files.filter((file) => file.suffix === "swap")) {
    changed = true;
    await storage.replace(inDirectory(directory, name), inDirectory(directory, segmentFileName(baseOffset, kind)));
  }
  files = await listed();
  const logs = new Set(files.filter((file) => file.kind === "log" && file.suffix === "").map((file) => file.baseOffset));
  for (const { name, suffix, kind, baseOffset } of files) {
    if (suffix === "" && DERIVED.has(kind) && !logs.has(baseOffset)) await remove(name);
  }
  if (changed) await storage.syncDirectory(directory);
}

/** Removes a segment's files, its `.log` first. The directory is not flushed: a file that comes back lies below the log start. */
export async function removeSegmentFiles(storage: StorageDriver, directory: string, baseOffset: number): Promise<void> {
  const present = new Set((await storage.list(directory)).map((entry) => entry.name));
  for (const kind of KINDS) {
    const name = segmentFileName(baseOffset, kind);
    if (present.has(name)) await storage.remove(inDirectory(directory, name));
  }
}
