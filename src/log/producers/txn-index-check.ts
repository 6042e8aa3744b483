/** Whether a `.txnindex` is what it was when its segment was left. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Core } from "../../core/core.ts";
import type { LogContext } from "../context/log-context.ts";
import { findBadBlock, SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { type Defect, REMEDY_REPAIR } from "../files/defect.ts";
import { readBytes } from "../files/file-bytes.ts";
import { segmentFileName } from "../files/file-names.ts";
import { readInt64 } from "../files/int64.ts";
import { inDirectory, openIfPresent } from "../files/replace-file.ts";
import type { Seal } from "../seal/seal.ts";

//  0         2             10             18            26                   34
//  ├ version ┼ producer id ┼ first offset ┼ last offset ┼ last stable offset ┤
const ENTRY_BYTE_LENGTH = 34;
const LAST_OFFSET_AT = 18;
/** Both lengths are multiples: a piece never cuts an entry. */
const PIECE_BYTE_LENGTH = ENTRY_BYTE_LENGTH * 4096;

export interface TxnIndexFacts {
  readonly txnIndexByteLength: number;
  readonly txnIndexChecksum: number;
}

/** Length and CRC-32C of the whole file; zeros where there is none. */
export async function txnIndexFacts({ core, storage }: LogContext, directory: string, baseOffset: number): Promise<TxnIndexFacts> {
  const file = await openIfPresent(storage, inDirectory(directory, segmentFileName(baseOffset, "txnindex")));
  if (file === null) return { txnIndexByteLength: 0, txnIndexChecksum: 0 };
  try {
    return { txnIndexByteLength: file.byteLength(), txnIndexChecksum: await checksumOf(core, file) };
  } finally {
    await file.close();
  }
}

/**
 * null: it is as it was left, by the seal or by the clean close, as far as one of them knows; and its entries are ones that Kafka
 * writes. Reads alone.
 */
export async function txnIndexDefect(
  { core, storage }: LogContext,
  directory: string,
  baseOffset: number,
  left: { readonly seal: Seal | null; readonly closed: TxnIndexFacts | null },
): Promise<Defect | null> {
  const name = inDirectory(directory, segmentFileName(baseOffset, "txnindex"));
  const file = await openIfPresent(storage, name);
  const defect = (problem: string, byteRange: Defect["byteRange"]): Defect => {
    return { kind: "txnindex", file: name, byteRange, offsetRange: null, problem: `${name}: ${problem}`, remedy: REMEDY_REPAIR };
  };
  try {
    const byteLength = file?.byteLength() ?? 0;
    const expected = left.seal?.txnIndexByteLength ?? left.closed?.txnIndexByteLength ?? null;
    if (expected !== null && expected !== byteLength)
      return defect(`expected ${expected} bytes, found ${file === null ? "no such file" : byteLength}`, null);
    if (file === null) return null;
    if (left.seal !== null) {
      const sealed = { byteLength, checksums: left.seal.txnIndexChecksums };
      const block = findBadBlock(core, file, sealed, 0, byteLength);
      const range = [block * SEAL_BLOCK_BYTE_LENGTH, Math.min(byteLength, (block + 1) * SEAL_BLOCK_BYTE_LENGTH)] as const;
      if (block >= 0) return defect(`bytes ${range[0]} to ${range[1]} are not what was sealed`, range);
    } else if (left.closed !== null && (await checksumOf(core, file)) !== left.closed.txnIndexChecksum) {
      return defect("it is not what the clean close left", [0, byteLength]);
    }
    const odd = await oddEntry(file, baseOffset);
    return odd === null ? null : defect(odd.problem, odd.byteRange);
  } finally {
    await file?.close();
  }
}

async function oddEntry(file: StorageFile, baseOffset: number): Promise<{ problem: string; byteRange: readonly [number, number] } | null> {
  const byteLength = file.byteLength();
  let before = baseOffset;
  for (let position = 0; position < byteLength; position += PIECE_BYTE_LENGTH) {
    await file.readAhead(position, PIECE_BYTE_LENGTH);
    const piece = readBytes(file, position, Math.min(PIECE_BYTE_LENGTH, byteLength - position));
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at < piece.byteLength; at += ENTRY_BYTE_LENGTH) {
      const byteRange = [position + at, Math.min(position + at + ENTRY_BYTE_LENGTH, byteLength)] as const;
      if (at + ENTRY_BYTE_LENGTH > piece.byteLength)
        return { problem: `expected entries of ${ENTRY_BYTE_LENGTH} bytes, found ${byteLength} bytes`, byteRange };
      const lastOffset = readInt64(view, at + LAST_OFFSET_AT);
      if (view.getInt16(at) !== 0 || lastOffset < before) {
        const problem = `expected an entry of version 0 with a last offset of ${before} or more, found version ${view.getInt16(at)} and ${lastOffset}`;
        return { problem: `at ${position + at}: ${problem}`, byteRange };
      }
      before = lastOffset;
    }
  }
  return null;
}

async function checksumOf(core: Core, file: StorageFile): Promise<number> {
  let checksum = 0;
  for (let position = 0; position < file.byteLength(); position += PIECE_BYTE_LENGTH) {
    await file.readAhead(position, PIECE_BYTE_LENGTH);
    checksum = core.crc32c(readBytes(file, position, PIECE_BYTE_LENGTH), checksum);
  }
  return checksum >>> 0;
}
