/** The files of a partition directory: which segments there are, and the tidying that a rewrite cut short by a crash leaves to do. */
import type { StorageDriver, StorageEntry } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import { parseSegmentFileName, type SegmentFileKind, type SegmentFileName, segmentFileName } from "./file-names.ts";
import { inDirectory, removeIfPresent } from "./replace-file.ts";

/** What belongs to one segment, in the order in which it is removed: without its `.log` a segment is gone. */
export const SEGMENT_FILE_KINDS: readonly SegmentFileKind[] = ["log", "index", "timeindex", "txnindex", "snapshot", "seal"];
/** What means nothing without a `.log` beside it. */
const DERIVED: ReadonlySet<SegmentFileKind> = new Set(["index", "timeindex", "txnindex", "seal"]);
/** A writer that made or renamed a file between each two of them would be met by none. */
const LOOKS_MAX = 32;

export interface PartitionFiles {
  /** Ascending. */
  readonly baseOffsets: readonly number[];
  readonly names: ReadonlySet<string>;
}

/** Reads alone. Files that are no segment's are passed over: not ours to touch. */
export async function listPartitionFiles(storage: StorageDriver, directory: string): Promise<PartitionFiles> {
  return partitionFilesOf(await storage.list(directory));
}

function partitionFilesOf(entries: readonly StorageEntry[]): PartitionFiles {
  const names = new Set<string>();
  const baseOffsets: number[] = [];
  for (const { name, kind } of entries) {
    if (kind !== "file") continue;
    names.add(name);
    const parsed = parseSegmentFileName(name);
    if (parsed?.kind === "log" && parsed.suffix === "") baseOffsets.push(parsed.baseOffset);
  }
  baseOffsets.sort((left, right) => left - right);
  return { baseOffsets, names };
}

type SuffixedFile = SegmentFileName & { readonly name: string };

/** What is left to do of a rewrite, and of a removal. Names within the directory. */
interface Leftovers {
  /** Outputs of a rewrite that did not come to its end: the originals are all there. */
  readonly unfinishedSwaps: readonly string[];
  readonly cleaned: readonly string[];
  /** Whole outputs, and what each puts aside. */
  readonly swaps: readonly SuffixedFile[];
  readonly replaced: readonly string[];
  readonly deleted: readonly string[];
}

/** Says up to which offset the segment in a `.log.swap` file reaches; throws when it is not whole. */
export type EndOfSwap = (name: string, baseOffset: number) => Promise<number>;

async function surveyLeftovers(entries: readonly StorageEntry[], endOfSwap: EndOfSwap): Promise<Leftovers> {
  const files = segmentFilesOf(entries);
  const named = (suffix: string): SuffixedFile[] => files.filter((file) => file.suffix === suffix);
  const cleanedFrom = Math.min(...named("cleaned").map((file) => file.baseOffset));
  const unfinishedSwaps = named("swap").filter((file) => file.baseOffset >= cleanedFrom);
  const swaps = named("swap").filter((file) => file.baseOffset < cleanedFrom);
  const replaced = new Set<string>();
  for (const swap of swaps.filter((file) => file.kind === "log")) {
    const end = await endOfSwap(swap.name, swap.baseOffset);
    for (const { name, baseOffset } of named("")) if (baseOffset >= swap.baseOffset && baseOffset < end) replaced.add(name);
  }
  const names = (some: readonly SuffixedFile[]): string[] => some.map((file) => file.name);
  return {
    unfinishedSwaps: names(unfinishedSwaps),
    cleaned: names(named("cleaned")),
    // The log first: what is left of its indexes under the other name is put in place, or made again.
    swaps: [...swaps].sort((left, right) => Number(right.kind === "log") - Number(left.kind === "log")),
    replaced: [...replaced],
    deleted: names(named("deleted")),
  };
}

function segmentFilesOf(entries: readonly StorageEntry[]): SuffixedFile[] {
  const found: SuffixedFile[] = [];
  for (const { name, kind } of entries) {
    const parsed = kind === "file" ? parseSegmentFileName(name) : null;
    if (parsed !== null) found.push({ ...parsed, name });
  }
  return found;
}

/**
 * Kafka's steps A, B and C (storage-format.md 6): removes `.deleted` and `.cleaned`, finishes swaps, removes derived files
 * without a log. Each step is durable before one that relies on it, so that a crash between any two leaves the same work, and
 * nothing is changed at all while a swap is not known to be whole.
 */
export async function tidyPartitionFiles(storage: StorageDriver, directory: string, endOfSwap: EndOfSwap): Promise<void> {
  const { unfinishedSwaps, cleaned, swaps, replaced, deleted } = await surveyLeftovers(await storage.list(directory), endOfSwap);
  const removeAll = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await storage.remove(inDirectory(directory, name));
    if (names.length > 0) await storage.syncDirectory(directory);
  };
  // After a death of the process the names of a swap may stand in the cache alone: what it replaces must not go before they are durable.
  if (swaps.length > 0) await storage.syncDirectory(directory);
  // While a `.cleaned` file stands a swap of that rewrite counts as unfinished; without it, as whole.
  await removeAll(unfinishedSwaps);
  await removeAll(cleaned);
  // Once its `.log` has the final name nothing tells any more what it stands for.
  await removeAll(replaced);
  for (const { name, kind, baseOffset } of swaps) {
    await storage.replace(inDirectory(directory, name), inDirectory(directory, segmentFileName(baseOffset, kind)));
  }
  if (swaps.length > 0) await storage.syncDirectory(directory);
  await removeAll(deleted);
  const files = segmentFilesOf(await storage.list(directory));
  const logs = new Set(files.filter((file) => file.kind === "log" && file.suffix === "").map((file) => file.baseOffset));
  await removeAll(
    files.filter(({ suffix, kind, baseOffset }) => suffix === "" && DERIVED.has(kind) && !logs.has(baseOffset)).map(({ name }) => name),
  );
}

/**
 * The partition as it would be after tidying, for one in which nothing may change: `inSwap` are the segments that still stand
 * under the name of a swap. A swap that is not whole is passed over and told in `problem`.
 */
export async function viewPartitionFiles(
  storage: StorageDriver,
  directory: string,
  endOfSwap: EndOfSwap,
): Promise<PartitionFiles & { readonly inSwap: ReadonlySet<number>; readonly problem: string | null }> {
  // One look for both: whoever writes may be putting a swap in place.
  const entries = await steadyEntries(storage, directory);
  const files = partitionFilesOf(entries);
  try {
    const { swaps, replaced } = await surveyLeftovers(entries, endOfSwap);
    const inSwap = new Set(swaps.filter((file) => file.kind === "log").map((file) => file.baseOffset));
    const hidden = new Set(replaced);
    const kept = files.baseOffsets.filter((baseOffset) => !inSwap.has(baseOffset) && !hidden.has(segmentFileName(baseOffset, "log")));
    const baseOffsets = [...kept, ...inSwap].sort((left, right) => left - right);
    return { ...files, baseOffsets, inSwap, problem: null };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { ...files, inSwap: new Set(), problem: error.message };
  }
}

/** A file that is renamed while a directory is listed may be met under both names, or under none: two looks that are alike tell of one moment. */
async function steadyEntries(storage: StorageDriver, directory: string): Promise<StorageEntry[]> {
  const namesOf = (entries: readonly StorageEntry[]): string =>
    entries
      .map(({ name }) => name)
      .sort()
      .join("/");
  let entries = await storage.list(directory);
  for (let look = 1; look < LOOKS_MAX; look += 1) {
    const again = await storage.list(directory);
    if (namesOf(again) === namesOf(entries)) break;
    entries = again;
  }
  return entries;
}

/** Removes a segment's files, its `.log` first. The directory is not flushed: a file that comes back lies below the log start. */
export async function removeSegmentFiles(storage: StorageDriver, directory: string, baseOffset: number): Promise<void> {
  const present = new Set((await storage.list(directory)).map((entry) => entry.name));
  for (const kind of SEGMENT_FILE_KINDS) {
    const name = segmentFileName(baseOffset, kind);
    // A snapshot may go at the same moment, its segment being gone.
    if (present.has(name)) await removeIfPresent(storage, inDirectory(directory, name));
  }
}
