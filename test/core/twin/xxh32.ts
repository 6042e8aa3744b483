/** xxHash32 of a whole message, written as its specification reads. */
const P1 = 2654435761;
const P2 = 2246822519;
const P3 = 3266489917;
const P4 = 668265263;
const P5 = 374761393;
const rotated = (value: number, by: number): number => ((value << by) | (value >>> (32 - by))) >>> 0;
const plus = (...values: number[]): number => values.reduce((sum, value) => (sum + value) >>> 0, 0);
const times = (a: number, b: number): number => Math.imul(a, b) >>> 0;

export function twinXxh32(bytes: Uint8Array, seed = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  let hash: number;
  if (bytes.length >= 16) {
    const lanes = [plus(seed, P1, P2), plus(seed, P2), seed >>> 0, plus(seed, -P1 >>> 0)];
    for (; at + 16 <= bytes.length; at += 16) {
      lanes.forEach((lane, i) => {
        lanes[i] = times(rotated(plus(lane, times(view.getUint32(at + 4 * i, true), P2)), 13), P1);
      });
    }
    hash = plus(...lanes.map((lane, i) => rotated(lane, [1, 7, 12, 18][i] as number)));
  } else hash = plus(seed, P5);
  hash = plus(hash, bytes.length);
  for (; at + 4 <= bytes.length; at += 4) hash = times(rotated(plus(hash, times(view.getUint32(at, true), P3)), 17), P4);
  for (; at < bytes.length; at++) hash = times(rotated(plus(hash, times(bytes[at] as number, P5)), 11), P1);
  hash = times((hash ^ (hash >>> 15)) >>> 0, P2);
  hash = times((hash ^ (hash >>> 13)) >>> 0, P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
