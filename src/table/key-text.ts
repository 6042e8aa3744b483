/** A key's bytes as a string, one character a byte, so that a Map can tell keys apart by what they are and not by which object holds them. */
import type { Bytes } from "../api/bytes.ts";

/** Arguments of one call: a longer key is put together from pieces. */
const PIECE_BYTE_LENGTH = 4096;

export function keyText(bytes: Uint8Array): string {
  if (bytes.length <= PIECE_BYTE_LENGTH) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE_BYTE_LENGTH) text += keyText(bytes.subarray(at, at + PIECE_BYTE_LENGTH));
  return text;
}

export function keyBytes(text: string): Bytes {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
