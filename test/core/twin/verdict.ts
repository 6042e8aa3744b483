/** What a produced batch must be, rule by rule, in the order in which they are said. */
import type { BatchVerdict } from "../../../src/core/core.ts";
import { slowReadRecord } from "./batch.ts";
import { slowCrc32c } from "./crc32c.ts";

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export function slowProblem(batch: Uint8Array): BatchVerdict["problem"] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  if (batch.length < 61) return "length";
  if (view.getUint8(16) !== 2) return "magic";
  if (view.getInt32(8) !== batch.length - 12) return "length";
  if (view.getUint32(17) !== slowCrc32c(batch.subarray(21))) return "checksum";
  const attributes = view.getUint16(21);
  if (attributes & 0x08) return "timestamp";
  if (attributes & ~0x10) return "attributes";
  const count = view.getInt32(57);
  if (count <= 0 || count > (batch.length - 61) / 7 || view.getInt32(23) !== count - 1) return "count";
  const baseTimestamp = view.getBigInt64(27);
  if (baseTimestamp < -1n || baseTimestamp > SAFE) return "timestamp";
  let at = 61;
  let maxTimestamp = -1n;
  for (let i = 0; i < count; i++) {
    const read = slowReadRecord(batch, at);
    if (read === null) return "records";
    if (read.record.offsetDelta !== i) return "offsets";
    const timestamp = baseTimestamp + read.record.timestampDelta;
    if (timestamp < -1n || timestamp > SAFE) return "timestamp";
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    at = read.end;
  }
  if (at !== batch.length) return "records";
  return maxTimestamp === view.getBigInt64(35) ? null : "timestamp";
}
