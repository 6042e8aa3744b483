/** `.txnindex`: the aborted transactions whose markers lie in one segment, in Kafka's entries, sorted by the marker's offset. */
import type { Bytes } from "../../api/bytes.ts";
import { readBigInt64, readInt16, readInt64, writeBigInt64, writeInt16, writeInt64 } from "../../base/big-endian.ts";
import type { LogContext } from "../context/log-context.ts";
import { type SegmentFileSuffix, segmentFileName } from "../files/file-names.ts";
import { bookCorrupt, inDirectory, readWholeFile } from "../files/replace-file.ts";

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
  /** Of the abort marker. */
  readonly lastOffset: number;
  /** The first offset of the earliest other transaction still open at the marker, else the offset behind the marker. */
  readonly lastStableOffset: number;
}

//  0         2             10             18            26                   34
//  ├ version ┼ producer id ┼ first offset ┼ last offset ┼ last stable offset ┤
const VERSION = 0;
const PRODUCER_ID_AT = 2;
const FIRST_OFFSET_AT = PRODUCER_ID_AT + 8;
const LAST_OFFSET_AT = FIRST_OFFSET_AT + 8;
const LAST_STABLE_OFFSET_AT = LAST_OFFSET_AT + 8;
export const TXN_ENTRY_BYTE_LENGTH: number = LAST_STABLE_OFFSET_AT + 8;
/** A marker takes 78 bytes of a segment below 2^31 bytes: its index stays below half of that. */
const TXN_INDEX_BYTE_LENGTH_MAX = 2 ** 30;

export function writeTransactionEntry(into: Uint8Array, at: number, entry: AbortedTransaction): void {
  writeInt16(into, at, VERSION);
  writeBigInt64(into, at + PRODUCER_ID_AT, entry.producerId);
  writeInt64(into, at + FIRST_OFFSET_AT, entry.firstOffset);
  writeInt64(into, at + LAST_OFFSET_AT, entry.lastOffset);
  writeInt64(into, at + LAST_STABLE_OFFSET_AT, entry.lastStableOffset);
}

export function encodeTransactionIndex(entries: readonly AbortedTransaction[]): Bytes {
  const bytes = new Uint8Array(entries.length * TXN_ENTRY_BYTE_LENGTH);
  for (const [index, entry] of entries.entries()) writeTransactionEntry(bytes, index * TXN_ENTRY_BYTE_LENGTH, entry);
  return bytes;
}

export const lastOffsetOfEntry = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + LAST_OFFSET_AT);
export const lastStableOffsetOfEntry = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + LAST_STABLE_OFFSET_AT);
export const firstOffsetOfEntry = (bytes: Uint8Array, at: number): number => readInt64(bytes, at + FIRST_OFFSET_AT);

export function readTransactionEntry(bytes: Uint8Array, at: number): AbortedTransaction {
  return {
    producerId: readBigInt64(bytes, at + PRODUCER_ID_AT),
    firstOffset: firstOffsetOfEntry(bytes, at),
    lastOffset: lastOffsetOfEntry(bytes, at),
    lastStableOffset: lastStableOffsetOfEntry(bytes, at),
  };
}

/** Why these bytes are no transaction index of a segment that begins at `baseOffset`, and where; null: they may be. */
export function transactionIndexProblem(bytes: Uint8Array, baseOffset: number): { readonly at: number; readonly problem: string } | null {
  const whole = bytes.byteLength - (bytes.byteLength % TXN_ENTRY_BYTE_LENGTH);
  let before = baseOffset;
  for (let at = 0; at < whole; at += TXN_ENTRY_BYTE_LENGTH) {
    const version = readInt16(bytes, at);
    const lastOffset = lastOffsetOfEntry(bytes, at);
    if (version !== VERSION || lastOffset < before) {
      const expected = `expected an entry of version ${VERSION} with a last offset of ${before} or more`;
      return { at, problem: `at ${at}: ${expected}, found version ${version} and ${lastOffset}` };
    }
    before = lastOffset;
  }
  if (whole === bytes.byteLength) return null;
  return { at: whole, problem: `expected entries of ${TXN_ENTRY_BYTE_LENGTH} bytes, found ${bytes.byteLength} bytes` };
}

export function decodeTransactionIndex(bytes: Uint8Array): AbortedTransaction[] {
  return Array.from({ length: Math.floor(bytes.byteLength / TXN_ENTRY_BYTE_LENGTH) }, (_, index) =>
    readTransactionEntry(bytes, index * TXN_ENTRY_BYTE_LENGTH),
  );
}

/** The bytes of the index as they stand on disk; null where there is none. */
export function readTransactionIndexBytes(
  { storage }: Pick<LogContext, "storage">,
  directory: string,
  baseOffset: number,
  suffix: SegmentFileSuffix = "",
): Promise<Bytes | null> {
  const name = `${segmentFileName(baseOffset, "txnindex")}${suffix === "" ? "" : `.${suffix}`}`;
  return readWholeFile(storage, inDirectory(directory, name), TXN_INDEX_BYTE_LENGTH_MAX);
}

/** The entries as they stand on disk, none where there is no file. Throws `BOOK_CORRUPT` for bytes that are no such index. */
export async function readTransactionIndex(
  context: Pick<LogContext, "storage">,
  directory: string,
  baseOffset: number,
  suffix: SegmentFileSuffix = "",
): Promise<AbortedTransaction[]> {
  const bytes = await readTransactionIndexBytes(context, directory, baseOffset, suffix);
  if (bytes === null) return [];
  const wrong = transactionIndexProblem(bytes, baseOffset);
  if (wrong === null) return decodeTransactionIndex(bytes);
  throw bookCorrupt(inDirectory(directory, segmentFileName(baseOffset, "txnindex")), wrong.problem, [wrong.at, bytes.byteLength]);
}
