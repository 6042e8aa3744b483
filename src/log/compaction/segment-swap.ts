/**
 * Puts a cleaned segment in the place of those it was made of, so that a crash between any two steps leaves either the old ones
 * whole or the new one: `.cleaned` -> `.swap` -> the final names, each step durable before one that relies on it.
 */

import { parseSegmentFileName, type SegmentFileKind, segmentFileName } from "../files/file-names.ts";
import { listPartitionFiles, SEGMENT_FILE_KINDS } from "../files/partition-files.ts";
import { inDirectory } from "../files/replace-file.ts";
import type { OpenedLog } from "../opening/opened-log.ts";
import { TransactionEntries } from "../producers/transaction-entries.ts";
import { encodeTransactionIndex } from "../producers/transaction-index.ts";
import { Segment } from "../segment/segment.ts";
import { type CleanedFacts, cleanedName } from "./cleaned-segment.ts";

/** The two steps of a swap: `begin` once; `finish` until it succeeds, or the log is opened anew. */
export class SegmentSwap {
  readonly #log: OpenedLog;
  readonly #cleaned: CleanedFacts;
  /** Adjacent, ascending, sealed. */
  readonly #sources: readonly Segment[];
  #segment: Segment | null = null;
  #isHeld = false;
  #areSourcesGone = false;
  /** A flush of the directory failed: what of the names is durable is not known any more, and no further step may rely on it. */
  inDoubt = false;
  /** A file has its `.swap` name, or may have. */
  hasRenamed = false;

  constructor(log: OpenedLog, cleaned: CleanedFacts, sources: readonly Segment[]) {
    this.#log = log;
    this.#cleaned = cleaned;
    this.#sources = sources;
  }

  get baseOffset(): number {
    return this.#cleaned.baseOffset;
  }

  /**
   * Resolves when the new segment stands in the list, read under its present names. Readers in the middle of an old one go on
   * with its handles. When it rejects, the old ones serve on, and the files are left to the next opening, which can tell from
   * their names how far this came.
   */
  async begin(): Promise<void> {
    const { context, spec, segments, abortedTransactions } = this.#log;
    const { storage } = context;
    const { directory } = spec;
    const { baseOffset, aborted } = this.#cleaned;
    await this.#removeStale();
    // Each `.cleaned` file has a durable name before one of them gets another: an index can then not stand there as `.swap`
    // while its log, not known by any name, is gone.
    await this.#syncDirectory();
    this.hasRenamed = true;
    // The log last: with it the swap counts as whole.
    for (const kind of logLast(this.#cleaned.kinds))
      await storage.replace(cleanedName(directory, baseOffset, kind), swapName(directory, baseOffset, kind));
    await this.#syncDirectory();
    const segment = makeSegment(this.#log, this.#cleaned);
    await segment.acquire();
    this.#isHeld = true;
    this.#segment = segment;
    segments.replace(this.#sources, segment);
    for (const source of this.#sources) abortedTransactions.forget(source.baseOffset);
    abortedTransactions.put(baseOffset, new TransactionEntries(encodeTransactionIndex(aborted)));
  }

  /** Resolves when the old files are gone and the new ones have their names, durably. May be called again after it failed. */
  async finish(): Promise<void> {
    const segment = this.#segment as Segment;
    const { storage } = this.#log.context;
    const { directory } = this.#log.spec;
    // Held while files are renamed: nobody may open them in between under a name that is no more.
    if (!this.#isHeld) await segment.acquire();
    try {
      // All of them, whatever one says: they are in no list any more, and nobody else gives their handles back.
      const closed = await Promise.allSettled(this.#sources.map((source) => source.close()));
      for (const result of closed) if (result.status === "rejected") throw result.reason;
      // Once, for good: from the first final name on, the new files bear names of the old ones.
      if (!this.#areSourcesGone) {
        await this.#removeSources();
        await this.#syncDirectory();
        this.#areSourcesGone = true;
      }
      for (const kind of logLast(this.#cleaned.kinds).reverse()) {
        if (segment.finalKinds.has(kind)) continue;
        await storage.replace(
          swapName(directory, segment.baseOffset, kind),
          inDirectory(directory, segmentFileName(segment.baseOffset, kind)),
        );
        segment.finalKinds = new Set([...segment.finalKinds, kind]);
      }
      segment.isInSwap = false;
      await this.#syncDirectory();
    } catch (error) {
      await this.#noteNames(segment).catch(() => {});
      throw error;
    } finally {
      this.#isHeld = false;
      segment.release();
    }
    await this.#log.segments.touched(segment);
  }

  /**
   * What an earlier round could not remove. Where a `.cleaned` file stands at a swap's base or below, an opening takes the swap for
   * unfinished and removes it, its sources being there; here they may be gone by then. The flush that follows makes it durable.
   */
  async #removeStale(): Promise<void> {
    const { storage } = this.#log.context;
    const { directory } = this.#log.spec;
    const { baseOffset, kinds } = this.#cleaned;
    const { names } = await listPartitionFiles(storage, directory);
    for (const name of names) {
      const file = parseSegmentFileName(name);
      if (file?.suffix !== "cleaned" || file.baseOffset > baseOffset) continue;
      if (file.baseOffset < baseOffset || !kinds.includes(file.kind)) await storage.remove(inDirectory(directory, name));
    }
  }

  /** A call that failed may have done its work: the names tell. */
  async #noteNames(segment: Segment): Promise<void> {
    const { context, spec } = this.#log;
    const { names } = await listPartitionFiles(context.storage, spec.directory);
    const isStillInSwap = (kind: SegmentFileKind): boolean => names.has(`${segmentFileName(segment.baseOffset, kind)}.swap`);
    if (segment.isInSwap) segment.finalKinds = new Set(this.#cleaned.kinds.filter((kind) => !isStillInSwap(kind)));
  }

  /** Of the first one the producers' snapshot stays: it speaks of what lies before the segment, which is as it was. */
  async #removeSources(): Promise<void> {
    const { storage } = this.#log.context;
    const { directory } = this.#log.spec;
    const { names } = await listPartitionFiles(storage, directory);
    for (const { baseOffset } of this.#sources) {
      for (const kind of SEGMENT_FILE_KINDS) {
        const name = segmentFileName(baseOffset, kind);
        const stays = kind === "snapshot" && baseOffset === this.#cleaned.baseOffset;
        if (names.has(name) && !stays) await storage.remove(inDirectory(directory, name));
      }
    }
  }

  async #syncDirectory(): Promise<void> {
    try {
      await this.#log.context.storage.syncDirectory(this.#log.spec.directory);
    } catch (error) {
      this.inDoubt = true;
      throw error;
    }
  }
}

function makeSegment({ context, spec }: OpenedLog, cleaned: CleanedFacts): Segment {
  const segment = new Segment(context, spec.directory, cleaned.baseOffset, false);
  segment.isInSwap = true;
  segment.byteLength = cleaned.byteLength;
  segment.nextOffset = cleaned.nextOffset;
  segment.maxTimestamp = cleaned.maxTimestamp;
  segment.maxTimestampOffset = cleaned.maxTimestampOffset;
  segment.warmFrom = cleaned.byteLength;
  segment.contiguous = false;
  segment.checksums = { byteLength: cleaned.byteLength, checksums: cleaned.checksums };
  segment.sealIsSettled = true;
  return segment;
}

function logLast(kinds: readonly SegmentFileKind[]): SegmentFileKind[] {
  return [...kinds.filter((kind) => kind !== "log"), "log"];
}

function swapName(directory: string, baseOffset: number, kind: SegmentFileKind): string {
  return inDirectory(directory, `${segmentFileName(baseOffset, kind)}.swap`);
}
