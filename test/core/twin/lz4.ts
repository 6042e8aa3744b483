/** LZ4 blocks and frames read byte by byte, as their specifications say it: slow, and easy to see through. */
import { twinXxh32 } from "./xxh32.ts";

/** Appends to `out`, into which the block may reach back to `first`. Throws for what is no block. */
export function twinReadLz4Block(bytes: Uint8Array, out: number[], first: number, byteLengthMax: number): void {
  const start = out.length;
  const put = (byte: number): void => {
    if (out.length - start >= byteLengthMax) throw new Error("too long");
    out.push(byte);
  };
  let at = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Error("cut short");
    return bytes[at++] as number;
  };
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    if (nibble === 15) {
      for (;;) {
        const more = next();
        length += more;
        if (more !== 255) break;
      }
    }
    return length;
  };
  for (;;) {
    const token = next();
    for (let left = lengthFrom(token >> 4); left > 0; left--) put(next());
    if (at === bytes.length) return;
    const distance = next() | (next() << 8);
    if (distance === 0 || distance > out.length - first) throw new Error("reaches too far back");
    for (let left = lengthFrom(token & 15) + 4; left > 0; left--) put(out[out.length - distance] as number);
  }
}

export function twinReadLz4Frame(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== 0x184d2204) throw new Error("magic");
  const flags = view.getUint8(4);
  const blockMax = { 4: 65536, 5: 262144, 6: 1048576, 7: 4194304 }[view.getUint8(5) >> 4] as number;
  const headerEnd = 6 + ((flags & 8) !== 0 ? 8 : 0);
  if (((twinXxh32(bytes.subarray(4, headerEnd)) >>> 8) & 0xff) !== view.getUint8(headerEnd)) throw new Error("header checksum");
  const out: number[] = [];
  let at = headerEnd + 1;
  for (;;) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const block = bytes.subarray(at, at + (word & 0x7fffffff));
    if (word >= 0x80000000) out.push(...block);
    else twinReadLz4Block(block, out, (flags & 0x20) !== 0 ? out.length : Math.max(0, out.length - 65536), blockMax);
    at += block.length;
    if ((flags & 0x10) !== 0) {
      if (view.getUint32(at, true) !== twinXxh32(block)) throw new Error("block checksum");
      at += 4;
    }
  }
  const whole = Uint8Array.from(out);
  if ((flags & 4) !== 0) {
    if (view.getUint32(at, true) !== twinXxh32(whole)) throw new Error("content checksum");
    at += 4;
  }
  if (at !== bytes.length) throw new Error("more behind it");
  return whole;
}
