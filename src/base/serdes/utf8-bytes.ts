/** Text to UTF-8 and back, exactly or not at all: half a surrogate pair and bytes that are no UTF-8 are refused, not replaced. */
import type { Bytes } from "../../api/bytes.ts";
import { KEY, type Role } from "./lending.ts";

/** Up to here a loop over characters beats the call into the runtime (Node 20: by five times at 16, about even at 100). */
const LOOP_LENGTH_MAX = 64;
const SCRATCH_BYTE_LENGTH = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Scratch {
  readonly bytes: Bytes;
  /** The same memory, four bytes at once; the first is the lowest, here as in WebAssembly. */
  readonly words: Int32Array<ArrayBuffer>;
  /** `views[n]` is the first n bytes: a short text then costs no object at all. */
  readonly views: readonly Bytes[];
}

/** One per role. */
const scratches = [newScratch(), newScratch()] as const;

function newScratch(): Scratch {
  const bytes = new Uint8Array(SCRATCH_BYTE_LENGTH);
  const words = new Int32Array(bytes.buffer);
  return { bytes, words, views: Array.from({ length: LOOP_LENGTH_MAX + 1 }, (_, length) => bytes.subarray(0, length)) };
}

/** Of a short key that `lendText` has lent: its bytes four at once, for whoever copies it. null: it is something else. */
export function wordsOfLentKey(key: Uint8Array): Int32Array | null {
  const { views, words } = scratches[KEY];
  return key === views[key.length] ? words : null;
}

/** Bytes of their own. */
export function encodeText(text: string): Bytes {
  requireWellFormed(text);
  return encoder.encode(text);
}

/** Bytes in the role's scratch, or of their own when the text is long. */
export function lendText(text: string, role: Role): Bytes {
  const length = text.length;
  const { bytes, words, views } = scratches[role];
  if (length <= LOOP_LENGTH_MAX) {
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      const a = text.charCodeAt(at);
      const b = text.charCodeAt(at + 1);
      const c = text.charCodeAt(at + 2);
      const d = text.charCodeAt(at + 3);
      if ((a | b | c | d) > 0x7f) break;
      words[at >> 2] = a | (b << 8) | (c << 16) | (d << 24);
    }
    for (; at < length; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit > 0x7f) break;
      bytes[at] = unit;
    }
    if (at === length) return views[length] as Bytes;
  }
  if (length * 3 > SCRATCH_BYTE_LENGTH) return encodeText(text);
  requireWellFormed(text);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

/** Throws a `TypeError` for bytes that are no UTF-8. A leading U+FEFF is text like any other. */
export function decodeText(bytes: Uint8Array): string {
  const length = bytes.length;
  if (length <= LOOP_LENGTH_MAX) {
    const text = decodeAscii(bytes, length);
    if (text !== null) return text;
  }
  return decoder.decode(bytes);
}

/** By four characters at a time: fewer strings on the way. */
function decodeAscii(bytes: Uint8Array, length: number): string | null {
  let text = "";
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const a = bytes[at] as number;
    const b = bytes[at + 1] as number;
    const c = bytes[at + 2] as number;
    const d = bytes[at + 3] as number;
    if ((a | b | c | d) > 0x7f) return null;
    text += String.fromCharCode(a, b, c, d);
  }
  for (; at < length; at += 1) {
    const a = bytes[at] as number;
    if (a > 0x7f) return null;
    text += String.fromCharCode(a);
  }
  return text;
}

/** In every runtime of ours; only the es2023 library does not name it yet. */
function requireWellFormed(text: string): void {
  if (!(text as unknown as { isWellFormed(): boolean }).isWellFormed()) {
    throw new TypeError("the text has half a surrogate pair, which UTF-8 cannot hold");
  }
}
