/** What a produced batch must be, rule by rule, in the order in which they are said. */
import type { BatchVerdict } from "../../../src/core/core.ts";
import { slowReadRecord } from "./batch.ts";
import { slowCrc32c } from "./crc32c.ts";

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** A problem and where it is seen; of framing that does not add up, where its record begins: it is seen there or behind. */
export interface SlowVerdict {
  readonly problem: BatchVerdict["problem"];
  readonly position: number;
}

export function slowVerdict(batch: Uint8Array): SlowVerdict {
  const said = (problem: BatchVerdict["problem"], position: number): SlowVerdict => ({ problem, position });
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  if (batch.length < 61) return said("length", 0);
  if (view.getUint8(16) !== 2) return said("magic", 16);
  if (view.getInt32(8) !== batch.length - 12) return said("length", 8);
  if (view.getUint32(17) !== slowCrc32c(batch.subarray(21))) return said("checksum", 17);
  const attributes = view.getUint16(21);
  if (attributes & 0x08) return said("timestamp", 21);
  if (attributes & ~0x10) return said("attributes", 21);
  const count = view.getInt32(57);
  if (count <= 0 || count > (batch.length - 61) / 7) return said("count", 57);
  if (view.getInt32(23) !== count - 1) return said("count", 23);
  const baseTimestamp = view.getBigInt64(27);
  if (baseTimestamp < -1n || baseTimestamp > SAFE) return said("timestamp", 27);
  let at = 61;
  let maxTimestamp = -1n;
  for (let i = 0; i < count; i++) {
    const read = slowReadRecord(batch, at);
    if (read === null) return said("records", at);
    if (read.record.offsetDelta !== i) return said("offsets", at);
    const timestamp = baseTimestamp + read.record.timestampDelta;
    if (timestamp < -1n || timestamp > SAFE) return said("timestamp", at);
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    at = read.end;
  }
  if (at !== batch.length) return said("records", at);
  return maxTimestamp === view.getBigInt64(35) ? said(null, 0) : said("timestamp", 35);
}

export function slowProblem(batch: Uint8Array): BatchVerdict["problem"] {
  return slowVerdict(batch).problem;
}
