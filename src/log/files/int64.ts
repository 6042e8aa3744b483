/** Whole numbers in eight big-endian bytes: exact up to 2^53, the nearest number beyond. */

const TWO_POW_32 = 2 ** 32;
/** The largest number below 2^63. */
const LARGEST = 2 ** 63 - 1024;

export function writeInt64(view: DataView, at: number, value: number): void {
  const whole = Math.min(value, LARGEST);
  view.setInt32(at, Math.floor(whole / TWO_POW_32));
  view.setInt32(at + 4, whole);
}

export function readInt64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_POW_32 + view.getUint32(at + 4);
}
