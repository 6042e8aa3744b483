/** A few bytes each that would be gigabytes. */
import { constants, deflateRawSync } from "node:zlib";
import type { CodecName } from "../../src/compression/compression.ts";
import type { Core } from "../../src/core/core.ts";

const concat = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));
const repeated = (part: Uint8Array, count: number): Uint8Array[] => new Array<Uint8Array>(count).fill(part);

/** More than any memory test could overlook. */
export const BOMB_BYTE_LENGTH: number = 2 ** 31;

/** `byteLength`: what each would come to, a power of two from 2^28 to 2^31. */
export function bombs(
  core: Core,
  byteLength: number = BOMB_BYTE_LENGTH,
): { readonly codec: CodecName; readonly kind: string; readonly bytes: Uint8Array<ArrayBuffer> }[] {
  const zeros = 16 << 20;
  // Flushed fully, so that one piece may follow itself.
  const piece = deflateRawSync(new Uint8Array(zeros), { finishFlush: constants.Z_FULL_FLUSH });
  const gzip = concat([Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0), ...repeated(piece, byteLength / zeros)]);
  const block = core.lz4.compress(new Uint8Array(65536)).slice(7, -4);
  const lz4 = concat([Uint8Array.of(4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82), ...repeated(block, byteLength / 65536), new Uint8Array(4)]);
  const chunk = core.snappy.compress(new Uint8Array(32768)).slice(16);
  const header = core.snappy.compress(new Uint8Array(0));
  const snappy = concat([header, ...repeated(chunk, byteLength / 32768)]);
  // A length that so many copies could never come to.
  const claim = concat([Uint8Array.of(0x80, 0x80, 0x80, 0x80, byteLength / 2 ** 28), new Uint8Array(byteLength / 64)]);
  const run = (isLast: boolean): Uint8Array => {
    const word = (131072 << 3) | (1 << 1) | (isLast ? 1 : 0);
    return Uint8Array.of(word & 0xff, (word >> 8) & 0xff, word >> 16, 0);
  };
  const runs = [...repeated(run(false), byteLength / 131072 - 1), run(true)];
  const magic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
  return [
    { codec: "gzip", kind: "zeros", bytes: gzip },
    { codec: "lz4", kind: "zeros", bytes: lz4 },
    { codec: "snappy", kind: "zeros", bytes: snappy },
    { codec: "snappy", kind: "a length alone", bytes: claim },
    { codec: "zstd", kind: "zeros", bytes: concat([magic, Uint8Array.of(0x00, 0x58), ...runs]) },
    // A window descriptor of 2 GiB, and a content size of 2 GiB in a single segment.
    { codec: "zstd", kind: "a window alone", bytes: concat([magic, Uint8Array.of(0x00, 0xa8), run(true)]) },
    { codec: "zstd", kind: "a content size alone", bytes: concat([magic, Uint8Array.of(0xa0, 0, 0, 0, 0x80), run(true)]) },
    // Within the cap, but not within what the blocks can hold.
    { codec: "zstd", kind: "a smaller content size alone", bytes: concat([magic, Uint8Array.of(0xa0, 0, 0, 0, 0x03), run(true)]) },
  ];
}
