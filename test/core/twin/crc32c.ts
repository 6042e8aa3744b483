/** CRC-32C a bit at a time: slow, and obviously the definition. */
const POLYNOMIAL_REVERSED = 0x82f63b78;

export function slowCrc32c(bytes: Uint8Array, seed = 0): number {
  let register = ~seed;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (POLYNOMIAL_REVERSED & -(register & 1));
  }
  return ~register >>> 0;
}
