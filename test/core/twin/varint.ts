/** Zigzag varints in whole numbers without bound. */

export function slowVarint(value: bigint): number[] {
  let raw = value >= 0n ? 2n * value : -2n * value - 1n;
  const bytes: number[] = [];
  while (raw >= 128n) {
    bytes.push(Number(raw % 128n) + 128);
    raw /= 128n;
  }
  return [...bytes, Number(raw)];
}

/** What a reader takes off the front of `bytes`, or null when there is no varint of at most `byteCountMax` bytes. */
export function slowReadVarint(bytes: Uint8Array, at: number, bits: 32 | 64): { readonly value: bigint; readonly end: number } | null {
  const byteCountMax = bits === 32 ? 5 : 10;
  let raw = 0n;
  for (let count = 0; count < byteCountMax; count++) {
    const byte = bytes[at + count];
    if (byte === undefined) return null;
    raw += BigInt(byte % 128) * 128n ** BigInt(count);
    if (byte < 128) {
      const whole = BigInt.asUintN(bits, raw);
      return { value: whole % 2n === 0n ? whole / 2n : -(whole + 1n) / 2n, end: at + count + 1 };
    }
  }
  return null;
}
