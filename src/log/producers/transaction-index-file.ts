/** A segment's `.txnindex` on disk: written from memory, read and believed only where what is known of it agrees, else made again from the log. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageDriver } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { writeBytes } from "../files/file-bytes.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory, removeIfPresent } from "../files/replace-file.ts";
import { readSeal } from "../seal/sealing.ts";
import type { Segment } from "../segment/segment.ts";
import { beginReplay, type ReplaySource, replaySegment, replayThrough } from "./producer-replay.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import { readTransactionIndexBytes, transactionIndexProblem } from "./transaction-index.ts";

/** Durable when it resolves, but for the name of a file that is new or gone: then it answers true. What is added meanwhile is for the next call. */
export async function writeTransactionEntries(
  storage: StorageDriver,
  directory: string,
  baseOffset: number,
  entries: TransactionEntries,
): Promise<boolean> {
  const name = inDirectory(directory, segmentFileName(baseOffset, "txnindex"));
  const { byteLength } = entries;
  if (byteLength === 0) {
    await removeIfPresent(storage, name);
    entries.durableByteLength = 0;
    return true;
  }
  const from = Math.max(0, entries.durableByteLength);
  const file = await storage.open(name, { create: "if-missing" });
  try {
    writeBytes(file, entries.bytes().slice(from, byteLength), from);
    if (file.byteLength() > byteLength) file.truncate(byteLength);
    await file.sync();
  } finally {
    await file.close();
  }
  entries.durableByteLength = byteLength;
  return from === 0;
}

/** Of a sealed segment: held against its seal, if it has one to believe. */
export function loadTransactionEntries(source: ReplaySource, segments: readonly Segment[], segment: Segment): Promise<TransactionEntries> {
  return readOrRemake(source, segments, segment, (bytes) => differenceFromSeal(source, segment, bytes));
}

/** `difference`: why the bytes (null: no file) are not what stood there, null where they are. Made again, the file is durable when this resolves. */
export async function readOrRemake(
  source: ReplaySource,
  segments: readonly Segment[],
  segment: Segment,
  difference: (bytes: Bytes | null) => Promise<string | null> | string | null,
): Promise<TransactionEntries> {
  const { context, spec } = source;
  const { bytes, problem } = await tryRead(source, segment);
  const why = problem ?? (await difference(bytes));
  if (why === null) return new TransactionEntries(bytes ?? undefined);
  const entries = await rebuildTransactionEntries(source, segments, segment, why);
  if (context.readOnly || spec.frozen) return entries;
  await writeTransactionEntries(context.storage, spec.directory, segment.baseOffset, entries);
  await context.storage.syncDirectory(spec.directory);
  return entries;
}

/** The bytes, null where there is no file; and why they are no such index, null where they may be. */
async function tryRead({ context }: ReplaySource, segment: Segment): Promise<{ bytes: Bytes | null; problem: string | null }> {
  const { directory, baseOffset } = segment;
  try {
    const bytes = await readTransactionIndexBytes(context, directory, baseOffset, segment.isInSwap ? "swap" : "");
    return { bytes, problem: bytes === null ? null : (transactionIndexProblem(bytes, baseOffset)?.problem ?? null) };
  } catch (error) {
    if (error instanceof CorruptionError) return { bytes: null, problem: error.message };
    throw error;
  }
}

/** From the log, by way of what was known of its producers when the segment began. In memory alone. */
export async function rebuildTransactionEntries(
  source: ReplaySource,
  segments: readonly Segment[],
  segment: Segment,
  why: string,
): Promise<TransactionEntries> {
  const { context, spec } = source;
  const { baseOffset } = segment;
  const replay = await beginReplay(source, baseOffset, null);
  await replayThrough(context, replay, segments, baseOffset);
  const entries = new TransactionEntries();
  entries.durableByteLength = -1;
  await replaySegment(context, replay, segment, (transaction) => entries.add(transaction));
  const file = inDirectory(spec.directory, segmentFileName(baseOffset, "txnindex"));
  context.emit("txnindex.rebuilt", { partition: { topic: spec.topic, partition: spec.partition }, file, why });
  return entries;
}

/** null: it is what was sealed, or nobody sealed it. */
async function differenceFromSeal({ context, spec }: ReplaySource, segment: Segment, bytes: Bytes | null): Promise<string | null> {
  const seal = await readSeal(context, segment);
  if (seal === "absent" || "problem" in seal) return null;
  const isOurs = seal.baseOffset === segment.baseOffset && seal.partition === spec.partition && seal.topicId === spec.topicId;
  if (!isOurs || seal.logByteLength !== segment.byteLength) return null;
  const byteLength = bytes?.byteLength ?? 0;
  if (byteLength !== seal.txnIndexByteLength)
    return `sealed with ${seal.txnIndexByteLength} bytes, found ${bytes === null ? "no such file" : byteLength}`;
  return bytes === null || isAsSealed(context.core, bytes, seal.txnIndexChecksums) ? null : "it is not what was sealed";
}

function isAsSealed(core: Core, bytes: Bytes, checksums: readonly number[]): boolean {
  return checksums.every((checksum, index) => {
    const block = bytes.subarray(index * SEAL_BLOCK_BYTE_LENGTH, (index + 1) * SEAL_BLOCK_BYTE_LENGTH);
    return core.crc32c(block) >>> 0 === checksum >>> 0;
  });
}
