/** The segments that a partition's directory holds, as an opening finds them: which belong to the log, how long they are, what they lack. */
import { CorruptionError } from "../../base/errors.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { segmentFileName } from "../files/file-names.ts";
import { listPartitionFiles, removeSegmentFiles, viewPartitionFiles } from "../files/partition-files.ts";
import { noteGaps } from "../seal/sealing.ts";
import { rebuildIndexes } from "../segment/index-rebuild.ts";
import { Segment } from "../segment/segment.ts";
import type { PartitionStateFacts } from "../state/partition-state.ts";
import { type Opening, tellOfPartition } from "./opening.ts";
import { swapsOf } from "./whole-swaps.ts";

export interface FoundSegments {
  /** The files of the directory. */
  readonly names: ReadonlySet<string>;
  readonly logStartOffset: number;
  /** The active segment has lost an index: it must be walked, whoever closed it. */
  readonly activeLacksIndex: boolean;
}

const NONE: ReadonlySet<number> = new Set();

/** Fills the opening's segments, one at least. Sealed ones that lack an index get it again. */
export async function findSegments(opening: Opening): Promise<FoundSegments> {
  const { context, spec, readOnly, facts, segments } = opening;
  const { storage } = context;
  const { directory } = spec;
  const files = readOnly
    ? await viewPartitionFiles(storage, directory, swapsOf(context, directory))
    : { ...(await listPartitionFiles(storage, directory)), inSwap: NONE, problem: null };
  if (files.problem !== null) tellOfPartition(context, spec, "swap.ignored", { problem: files.problem });
  const logStartOffset = Math.max(knownLogStart(opening), files.baseOffsets[0] ?? 0);
  for (const [index, baseOffset] of files.baseOffsets.entries()) {
    const next = files.baseOffsets[index + 1];
    // A deleted segment that came back with a loss of power, or whose removal was cut short.
    if (next !== undefined && next <= logStartOffset) {
      if (!readOnly) await removeSegmentFiles(storage, directory, baseOffset);
      continue;
    }
    const segment = new Segment(context, directory, baseOffset, readOnly);
    segment.isInSwap = files.inSwap.has(baseOffset);
    await lookAt(opening, segment, next ?? null);
    segments.push(segment);
  }
  const last = segments.at(-1);
  if (last === undefined && facts !== null && facts.durableEndOffset > logStartOffset) throw lost(spec, logStartOffset, facts);
  if (last === undefined) segments.push(await firstSegment(opening, Math.max(logStartOffset, facts?.durableEndOffset ?? 0)));
  else await last.acquire();
  const active = segments.at(-1) as Segment;
  if (files.names.has(segmentFileName(active.baseOffset, "seal"))) await noteGaps(context, active);
  const lacksIndex = ({ baseOffset }: Segment): boolean =>
    (["index", "timeindex"] as const).some((kind) => !files.names.has(segmentFileName(baseOffset, kind)));
  if (!readOnly) await rebuildMissing(opening, segments.slice(0, -1).filter(lacksIndex));
  const activeLacksIndex = !readOnly && files.baseOffsets.length > 0 && lacksIndex(active);
  if (activeLacksIndex) tellOfPartition(context, spec, "index.rebuilt", { file: active.logName, why: "it was missing" });
  return { names: files.names, logStartOffset, activeLacksIndex };
}

/** Kafka's checkpoint is a text without a checksum: it counts where a broker may have closed it after us, and where nothing else tells. */
function knownLogStart({ facts, spec }: Opening): number {
  const isTheirs = facts === null || (spec.cleanShutdown && spec.leftByUs !== true);
  return Math.max(facts?.logStartOffset ?? 0, isTheirs ? (spec.checkpoint.logStartOffset ?? 0) : 0);
}

/** Its length; and of one that is not the last, where it ends. What was rewritten may have gaps. */
async function lookAt({ context, spec, facts }: Opening, segment: Segment, nextBaseOffset: number | null): Promise<void> {
  const log = await context.storage.open(segment.logName, { create: "no", readOnly: true });
  try {
    segment.byteLength = log.byteLength();
  } finally {
    await log.close();
  }
  segment.warmFrom = segment.byteLength;
  // A topic without an entry in the catalogue has a policy that nobody here knows: a broker may have compacted what we wrote.
  // The last one was never compacted, whoever wrote it.
  const mayHaveGaps = spec.config().cleanupPolicy !== "delete" && nextBaseOffset !== null;
  segment.contiguous = facts !== null && !(spec.isForeign ?? spec.frozen) && !mayHaveGaps && !segment.isInSwap;
  if (nextBaseOffset === null) return;
  segment.nextOffset = nextBaseOffset;
  segment.checksums = segment.isInSwap ? null : "unread";
}

/** As Kafka does at once: a search without an index would read a segment from its beginning. */
async function rebuildMissing({ context, spec }: Opening, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments) {
    const files = await segment.acquire();
    try {
      await rebuildIndexes(context, spec, segment, files, "it was missing");
    } finally {
      segment.release();
    }
    await segment.closeIdle();
  }
}

/** There is no segment: an empty one at the log start is legal, and appendable. */
async function firstSegment({ context, spec, readOnly }: Opening, baseOffset: number): Promise<Segment> {
  return readOnly
    ? await absentSegment(context, spec, baseOffset)
    : await Segment.create(context, spec.directory, baseOffset, spec.config());
}

/** In its place, for whoever may make none. */
export async function absentSegment(context: LogContext, spec: PartitionSpec, baseOffset: number): Promise<Segment> {
  const absent = new Segment(context, spec.directory, baseOffset, true);
  absent.isAbsent = true;
  await absent.acquire();
  return absent;
}

/** No segment is there, and records were: an empty log in their place would pass for one that never had any. */
function lost(spec: PartitionSpec, logStartOffset: number, { durableEndOffset }: PartitionStateFacts): CorruptionError {
  const message = `${spec.directory}: expected segments with offsets ${logStartOffset} to ${durableEndOffset - 1}, found none; restore them from a backup`;
  const offsetRange = [logStartOffset, durableEndOffset - 1] as const;
  return new CorruptionError(message, { file: spec.directory, byteRange: [0, 0], offsetRange, nextReadableOffset: null });
}
