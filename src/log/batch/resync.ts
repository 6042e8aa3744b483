/** Where batches go on behind one whose length cannot be believed: looked for byte by byte, and believed only as part of an unbroken chain. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Core } from "../../core/core.ts";
import { batchByteLengthAt, HEADER_BYTE_LENGTH, lastOffsetAt, MAGIC_AT, readInt64, viewOf } from "./batch-header.ts";
import { hasBytesBeyond, type ScanEnd, type ScanExpectation, scanBatches } from "./batch-scan.ts";

/** What is searched behind the damage at most: some batches of the largest size that topics are set to. */
const SEARCHED_BYTE_LENGTH_MAX = 16 * 1024 * 1024;
const WINDOW_BYTE_LENGTH = 64 * 1024;
/** Chains that are begun, each walked as far as it goes: a value may be full of batches. */
const CHAIN_COUNT_MAX = 32;

/** The end of what is known to be there: a batch boundary and the offset that begins there. */
export interface KnownEnd {
  readonly position: number;
  readonly offset: number;
}

export interface NextBatch {
  readonly position: number;
  readonly baseOffset: number;
}

/** Where batches go on behind the one that a scan stopped at; null: nobody can tell. Its own length is believed where it leads to the offset it must. */
export async function batchBehind(
  core: Core,
  log: StorageFile,
  stopped: ScanEnd,
  end: KnownEnd,
  rules: Pick<ScanExpectation, "order" | "epochFor">,
): Promise<NextBatch | null> {
  const header = new Uint8Array(HEADER_BYTE_LENGTH);
  const view = viewOf(header);
  log.readAt(header, stopped.position);
  const byLength = stopped.position + batchByteLengthAt(view, 0);
  const nextOffset = lastOffsetAt(view, 0) + 1;
  const isWithin = byLength + HEADER_BYTE_LENGTH <= end.position;
  if (isWithin) log.readAt(header, byLength);
  const baseOffset = isWithin ? readInt64(view, 0) : -1;
  // The one that the scan stopped at had an offset at least, whatever it says now.
  const mayFollow = isWithin && baseOffset > stopped.nextOffset && baseOffset < end.offset;
  const followed = mayFollow ? { position: byLength, baseOffset } : null;
  const leadsOn = mayFollow && baseOffset === nextOffset;
  if (stopped.reason === "older" || (leadsOn && (await isWhole(core, log, byLength, end.position, { ...rules, nextOffset }))))
    return followed;
  const found = await findNextBatch(core, log, stopped.position + 1, end, { ...rules, nextOffset: stopped.nextOffset + 1 });
  // Where no offset may be missing, two headers that contradict each other leave neither to be believed.
  if (found < 0) return rules.order === "exact" && !leadsOn ? null : followed;
  log.readAt(header, found);
  return { position: found, baseOffset: readInt64(view, 0) };
}

/** Whether a batch stands there: a number in the middle of one may be the very offset that is looked for. */
async function isWhole(core: Core, log: StorageFile, from: number, to: number, expectation: ScanExpectation): Promise<boolean> {
  let found = false;
  await scanBatches(core, log, [from, to], expectation, () => {
    found = true;
    return "stop";
  });
  return found;
}

/** Whether nothing but zeros follows, up to an end that is only the file's: a rolled segment whose cut a loss of power took back. */
async function endsInUnwritten(log: StorageFile, position: number, end: KnownEnd): Promise<boolean> {
  return end.position === log.byteLength() && !(await hasBytesBeyond(log, position));
}

/**
 * The first batch at or behind `from` from which whole batches lead to `end`, one behind another; -1: there is none. A record's value
 * may hold batches too, with checksums as right as any: none of them leads on to the end.
 */
async function findNextBatch(core: Core, log: StorageFile, from: number, end: KnownEnd, expectation: ScanExpectation): Promise<number> {
  const { nextOffset, order, epochFor } = expectation;
  const window = new Uint8Array(Math.min(WINDOW_BYTE_LENGTH + HEADER_BYTE_LENGTH, Math.max(0, end.position - from)));
  const view = viewOf(window);
  const searchedTo = Math.min(end.position - HEADER_BYTE_LENGTH, from + SEARCHED_BYTE_LENGTH_MAX);
  let chains = 0;
  for (let windowAt = from; windowAt <= searchedTo; windowAt += WINDOW_BYTE_LENGTH) {
    await log.readAhead(windowAt, window.length);
    const byteLength = log.readAt(window, windowAt);
    const last = Math.min(byteLength - HEADER_BYTE_LENGTH, WINDOW_BYTE_LENGTH - 1, searchedTo - windowAt);
    for (let at = 0; at <= last; at += 1) {
      if (window[at + MAGIC_AT] !== 2 || !(windowAt + at + batchByteLengthAt(view, at) <= end.position)) continue;
      const baseOffset = readInt64(view, at);
      if (baseOffset < nextOffset || baseOffset >= end.offset) continue;
      chains += 1;
      if (chains > CHAIN_COUNT_MAX) return -1;
      const range = [windowAt + at, end.position] as const;
      const chain = await scanBatches(core, log, range, { nextOffset: baseOffset, order, epochFor }, () => {});
      const leads = order === "exact" ? chain.nextOffset === end.offset : chain.nextOffset <= end.offset;
      if (leads && (chain.position === end.position || (await endsInUnwritten(log, chain.position, end)))) return windowAt + at;
    }
  }
  return -1;
}
