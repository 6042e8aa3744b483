/** Whole numbers in Kafka's byte order. Without DataView: these are inlined where they are used, and take any array's own position. */

const TWO_POW_32 = 2 ** 32;

export function readInt16(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) >> 16) | (bytes[at + 1] as number);
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}

/** The nearest number: exact from -(2^53) to 2^53; what is beyond stays beyond, so that it is never mistaken for an exact one. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * TWO_POW_32 + (readInt32(bytes, at + 4) >>> 0);
}

export function readBigInt64(bytes: Uint8Array, at: number): bigint {
  return (BigInt(readInt32(bytes, at)) << 32n) | BigInt(readInt32(bytes, at + 4) >>> 0);
}

export function writeInt16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

export function writeInt32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** `value`: a whole number from -(2^53) to 2^53. */
export function writeInt64(into: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_POW_32);
  writeInt32(into, at, high);
  writeInt32(into, at + 4, value - high * TWO_POW_32);
}

export function writeBigInt64(into: Uint8Array, at: number, value: bigint): void {
  writeInt32(into, at, Number(BigInt.asIntN(32, value >> 32n)));
  writeInt32(into, at + 4, Number(BigInt.asIntN(32, value)));
}
