/** Puts a `.log` without its damaged ranges in the place of the damaged one; what was in them lies beside it before a byte changes. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import {
  BASE_TIMESTAMP_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  RECORD_COUNT_AT,
  stampBatch,
  stampChecksum,
} from "../../base/record-batch.ts";
import type { Core } from "../../core/core.ts";
import { readBytes, writeBytes } from "../files/file-bytes.ts";
import { inDirectory, openAnew } from "../files/replace-file.ts";
import type { DamagedRange } from "./segment-survey.ts";

const PIECE_BYTE_LENGTH = 1024 * 1024;
const INT32_MAX = 2 ** 31 - 1;

/** Where the bytes of a damaged range are kept: beside the log, under a name that neither Kafka nor we give a meaning. */
export function asideName(logName: string, range: DamagedRange): string {
  return logName.replace(/\.log$/, `.damaged-${range.position}`);
}

/** Durable when it resolves. A crash on the way leaves the old log. */
export async function rewriteSegment(
  core: Core,
  storage: StorageDriver,
  directory: string,
  logName: string,
  ranges: readonly DamagedRange[],
  options: { readonly fillHoles: boolean; readonly leaderEpochAt: (offset: number) => number },
): Promise<void> {
  const name = inDirectory(directory, logName);
  const log = await storage.open(name, { create: "no", readOnly: true });
  const temporary = `${name}.tmp`;
  try {
    for (const range of ranges) await copyAside(storage, log, directory, asideName(logName, range), range);
    await storage.syncDirectory(directory);
    const into = await openAnew(storage, temporary);
    try {
      let end = 0;
      let from = 0;
      const put = (bytes: Uint8Array): void => {
        writeBytes(into, bytes, end);
        end += bytes.byteLength;
      };
      for (const range of ranges) {
        for await (const piece of piecesOf(log, from, range.position)) put(piece);
        if (range.place !== null) put(mended(log, range, range.place));
        else if (options.fillHoles && range.nextOffset !== null) {
          for (const empty of emptyBatches(core, range.firstOffset, range.nextOffset, options.leaderEpochAt)) put(empty);
        }
        from = range.end;
      }
      for await (const piece of piecesOf(log, from, log.byteLength())) put(piece);
      await into.sync();
    } finally {
      await into.close();
    }
  } finally {
    await log.close();
  }
  await storage.replace(temporary, name);
  await storage.syncDirectory(directory);
}

/** What an earlier repair kept is never written over: the name then gets a number. */
async function copyAside(storage: StorageDriver, log: StorageFile, directory: string, wanted: string, range: DamagedRange): Promise<void> {
  if (range.end === range.position) return;
  const taken = new Set((await storage.list(directory)).map((entry) => entry.name));
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
  const aside = await storage.open(inDirectory(directory, name), { create: "new" });
  try {
    let end = 0;
    for await (const piece of piecesOf(log, range.position, range.end)) {
      writeBytes(aside, piece, end);
      end += piece.byteLength;
    }
    await aside.sync();
  } finally {
    await aside.close();
  }
}

async function* piecesOf(file: StorageFile, from: number, to: number): AsyncGenerator<Bytes> {
  for (let position = from; position < to; position += PIECE_BYTE_LENGTH) {
    const byteLength = Math.min(PIECE_BYTE_LENGTH, to - position);
    await file.readAhead(position, byteLength);
    yield readBytes(file, position, byteLength);
  }
}

/** The batch with the place it must have: its checksum covers neither base offset, length, epoch nor magic. */
function mended(log: StorageFile, range: DamagedRange, place: NonNullable<DamagedRange["place"]>): Bytes {
  const batch = readBytes(log, range.position, range.end - range.position);
  stampBatch(batch, place.baseOffset, place.leaderEpoch);
  const view = new DataView(batch.buffer);
  view.setInt32(LENGTH_AT, batch.byteLength - LENGTH_OVERHEAD);
  view.setUint8(MAGIC_AT, MAGIC_V2);
  return batch;
}

/**
 * A hole as Kafka's own compaction leaves it: a batch without records that spans the offsets. So the log has no gap that could
 * pass for a loss nobody knows of, and offsets behind it keep their places.
 */
export function emptyBatches(core: Core, firstOffset: number, nextOffset: number, leaderEpochAt: (offset: number) => number): Bytes[] {
  const batches: Bytes[] = [];
  for (let baseOffset = firstOffset; baseOffset < nextOffset; ) {
    const offsetCount = Math.min(INT32_MAX, nextOffset - baseOffset);
    const batch = new Uint8Array(HEADER_BYTE_LENGTH);
    const view = new DataView(batch.buffer);
    view.setInt32(LENGTH_AT, HEADER_BYTE_LENGTH - LENGTH_OVERHEAD);
    view.setUint8(MAGIC_AT, MAGIC_V2);
    view.setInt32(LAST_OFFSET_DELTA_AT, offsetCount - 1);
    // No timestamp, no producer: all of them -1.
    batch.fill(0xff, BASE_TIMESTAMP_AT, RECORD_COUNT_AT);
    view.setInt32(RECORD_COUNT_AT, 0);
    stampBatch(batch, baseOffset, leaderEpochAt(baseOffset));
    stampChecksum(batch, core);
    batches.push(batch);
    baseOffset += offsetCount;
  }
  return batches;
}
