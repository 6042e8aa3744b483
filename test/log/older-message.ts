/** A message as brokers before 0.11 wrote it: offset 21, magic 1, null key, value "old". */
import { viewOf } from "../../src/log/batch/batch-header.ts";

export function oldMessage(): Uint8Array {
  const bytes = new Uint8Array(12 + 4 + 1 + 1 + 8 + 4 + 4 + 3);
  const view = viewOf(bytes);
  view.setUint32(4, 21);
  view.setInt32(8, bytes.length - 12);
  view.setUint8(16, 1);
  view.setInt32(26, -1);
  view.setInt32(30, 3);
  bytes.set(new TextEncoder().encode("old"), 34);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(16)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(12, ~crc >>> 0);
  return bytes;
}
