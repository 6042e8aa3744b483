/** Seals a segment: walks it once more, and writes down what every 64 KiB of it is, so that no later change goes unseen. */
import { reasonOf } from "../../base/reason.ts";
import { type ScanEnd, scanBatches } from "../batch/batch-scan.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { checksumsOfWhole } from "../files/file-checksums.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory, openIfPresent, readWholeFile, replaceFile } from "../files/replace-file.ts";
import { indexFacts } from "../segment/index-facts.ts";
import type { Segment } from "../segment/segment.ts";
import { checksumsToLeave } from "./left-blocks.ts";
import { decodeSeal, encodeSeal, SEAL_BYTE_LENGTH_MAX, type Seal } from "./seal.ts";

/**
 * Durable when it resolves. Answers false when the segment is not what was written: what it then gets, if anything, is a seal
 * that does not match the damage.
 */
export async function sealSegment(
  context: LogContext,
  spec: PartitionSpec,
  segment: Segment,
  { epochFor = () => null, nextBaseOffset = segment.baseOffset }: Partial<SealedBeside> = {},
): Promise<boolean> {
  return (await trySeal(context, spec, segment, { epochFor, nextBaseOffset })) === null;
}

/** What is known of a segment beside its bytes. */
export interface SealedBeside {
  /** The leader epoch that a batch at an offset must carry; null: any. */
  readonly epochFor: (offset: number) => number | null;
  /** Where the next segment begins. What is missing before it was missing when the segment was sealed, and is no loss. */
  readonly nextBaseOffset: number;
}

/** As `sealSegment`; answers null, or where and why the segment is not what was written. */
export async function trySeal(
  context: LogContext,
  spec: PartitionSpec,
  segment: Segment,
  { epochFor, nextBaseOffset }: SealedBeside,
  /** A segment that ends before this offset has lost its end: a rewriting keeps where it ends, as far as we can know. */
  nextOffsetMin: number | null = null,
): Promise<ScanEnd | null> {
  const { core, storage } = context;
  const files = await segment.acquire();
  try {
    const expectation = { nextOffset: segment.baseOffset, order: segment.contiguous ? "exact" : "rising", epochFor } as const;
    let maxTimestamp = -1;
    let hasGaps = false;
    let nextOffset = segment.baseOffset;
    const end = await scanBatches(core, files.log, [0, segment.byteLength], expectation, (batch) => {
      hasGaps ||= batch.baseOffset !== nextOffset;
      nextOffset = batch.lastOffset + 1;
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp);
    });
    const isDamaged = end.position !== segment.byteLength;
    hasGaps ||= !isDamaged && end.nextOffset < nextBaseOffset;
    // Without a seal nobody would know that no offset is missing: what is ours gets one, whose sums of what is damaged never match.
    if (isDamaged && (!segment.contiguous || end.reason === "older")) return end;
    if (!isDamaged && nextOffsetMin !== null && end.nextOffset < nextOffsetMin) {
      const detail = `it ends at offset ${end.nextOffset - 1}, and went up to ${nextOffsetMin - 1} when it was sealed`;
      return { ...end, reason: "partial", detail };
    }
    const logChecksums = isDamaged
      ? await checksumsToLeave(core, segment, files, epochFor)
      : await checksumsOfWhole(core, files.log, segment.logName, segment.byteLength);
    const txnIndexName = inDirectory(segment.directory, segmentFileName(segment.baseOffset, "txnindex"));
    const txnIndex = await openIfPresent(storage, txnIndexName);
    let txnIndexByteLength = 0;
    let txnIndexChecksums: number[] = [];
    try {
      txnIndexByteLength = txnIndex?.byteLength() ?? 0;
      if (txnIndex !== null) txnIndexChecksums = await checksumsOfWhole(core, txnIndex, txnIndexName, txnIndexByteLength);
    } finally {
      await txnIndex?.close();
    }
    const seal: Seal = {
      topicId: spec.topicId,
      partition: spec.partition,
      baseOffset: segment.baseOffset,
      nextOffset: isDamaged ? segment.nextOffset : Math.max(end.nextOffset, nextBaseOffset),
      maxTimestamp: isDamaged ? -1 : maxTimestamp,
      hasGaps,
      logByteLength: segment.byteLength,
      logChecksums,
      txnIndexByteLength,
      txnIndexChecksums,
      ...indexFacts(files),
    };
    await replaceFile(storage, segment.directory, sealName(segment), encodeSeal(seal, core));
    segment.checksums = { byteLength: segment.byteLength, checksums: logChecksums };
    segment.sealedEnd = { nextOffset: seal.nextOffset, isWhole: segment.contiguous && !hasGaps, isOfThisFile: true, isCut: false };
    if (isDamaged) return end;
    segment.maxTimestamp = maxTimestamp;
    return null;
  } finally {
    segment.release();
  }
}

/** The seal as it stands on disk, or why there is none to believe. */
export type ReadSeal = Seal | "absent" | { readonly problem: string };

export function readSeal(context: LogContext, segment: Segment): Promise<ReadSeal> {
  return readSealAt(context, segment.directory, segment.baseOffset);
}

export async function readSealAt(context: LogContext, directory: string, baseOffset: number): Promise<ReadSeal> {
  const name = inDirectory(directory, segmentFileName(baseOffset, "seal"));
  try {
    const bytes = await readWholeFile(context.storage, name, SEAL_BYTE_LENGTH_MAX);
    return bytes === null ? "absent" : decodeSeal(bytes, name, context.core);
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}

/** A segment that was compacted has gaps, whatever the topic's policy is by now: its seal remembers. */
export async function noteGaps(context: LogContext, segment: Segment): Promise<void> {
  if (!segment.contiguous) return;
  const seal = await readSeal(context, segment);
  if (seal !== "absent" && !("problem" in seal) && seal.hasGaps) segment.contiguous = false;
}

/** Of a segment that is written to again. One that remembers gaps stays; the names of the directory are for the caller to flush. */
export async function removeSeal(context: LogContext, segment: Segment): Promise<void> {
  const seal = await readSeal(context, segment);
  if (seal === "absent" || (!("problem" in seal) && seal.hasGaps)) return;
  await context.storage.remove(inDirectory(segment.directory, sealName(segment)));
}

function sealName(segment: Segment): string {
  return segmentFileName(segment.baseOffset, "seal");
}
