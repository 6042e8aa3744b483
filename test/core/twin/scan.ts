/** Where batches begin in a run of bytes, and why there are no more, read straight from the rules. */
import type { ScanStop } from "../../../src/core/core.ts";
import { slowCrc32c } from "./crc32c.ts";

export interface SlowScan {
  readonly positions: number[];
  readonly stop: ScanStop;
  readonly stopPosition: number;
  readonly neededByteLength: number;
}

export function slowScan(bytes: Uint8Array, verifyChecksums: boolean): SlowScan {
  const positions: number[] = [];
  let at = 0;
  let offsetMin = 0n;
  const stopped = (stop: ScanStop, neededByteLength = 0): SlowScan => ({ positions, stop, stopPosition: at, neededByteLength });
  while (at < bytes.length) {
    const left = bytes.subarray(at);
    const view = new DataView(left.buffer, left.byteOffset, left.length);
    if (left.length < 12) return stopped("partial");
    const length = view.getInt32(8);
    if (length === 0) return stopped("zero");
    if (length < 14 || length > 2 ** 31 - 1 - 12) return stopped("length");
    if (left.length < 17) return stopped("partial", length + 12);
    if (left[16] !== 2) return stopped("magic");
    if (length < 49) return stopped("length");
    if (left.length < length + 12) return stopped("partial", length + 12);
    const batch = left.subarray(0, length + 12);
    if (verifyChecksums && slowCrc32c(batch.subarray(21)) !== view.getUint32(17)) return stopped("checksum");
    const baseOffset = view.getBigInt64(0);
    const lastOffset = baseOffset + BigInt(view.getInt32(23));
    if (baseOffset < offsetMin || lastOffset < baseOffset || lastOffset > BigInt(Number.MAX_SAFE_INTEGER)) return stopped("offset");
    const count = view.getInt32(57);
    if (count < 0 || ((view.getUint8(22) & 7) === 0 && count > (batch.length - 61) / 7)) return stopped("length");
    positions.push(at);
    offsetMin = lastOffset + 1n;
    at += batch.length;
  }
  return stopped("end");
}
