/** Text to UTF-8 and back, exactly or not at all: half a surrogate pair and bytes that are no UTF-8 are refused, not replaced. */
import type { Bytes } from "../../api/bytes.ts";
import { KEY, type Role } from "./lending.ts";

/** Up to here a loop over characters beats the call into the runtime (Node 20: by five times at 16, about even at 100). */
export const SHORT_TEXT_LENGTH_MAX = 64;
/** As much in the other direction. */
const SHORT_LENGTH_MAX = 24;
const SCRATCH_BYTE_LENGTH = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `lists[n]` has room for n characters. */
const lists: readonly number[][] = Array.from({ length: SHORT_LENGTH_MAX + 1 }, (_, length) => new Array<number>(length).fill(0));

interface Scratch {
  readonly bytes: Bytes;
  /** The same memory, four bytes at once; the first is the lowest, here as in WebAssembly. */
  readonly words: Int32Array<ArrayBuffer>;
  /** `views[n]` is the first n bytes, made when first wanted: a short text then costs no object at all. */
  readonly views: (Bytes | undefined)[];
}

/** One per role. */
const scratches = [newScratch(), newScratch()] as const;

function newScratch(): Scratch {
  const bytes = new Uint8Array(SCRATCH_BYTE_LENGTH);
  const words = new Int32Array(bytes.buffer);
  return { bytes, words, views: new Array<Bytes | undefined>(SHORT_TEXT_LENGTH_MAX + 1).fill(undefined) };
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
  if (length <= SHORT_TEXT_LENGTH_MAX) {
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
    if (at === length) {
      const view = views[length] ?? bytes.subarray(0, length);
      views[length] = view;
      return view;
    }
  }
  if (length * 3 > SCRATCH_BYTE_LENGTH) return encodeText(text);
  requireWellFormed(text);
  return bytes.subarray(0, encoder.encodeInto(text, bytes).written);
}

/**
 * The text from `start` up to `end`. Throws a `TypeError` for bytes that are no UTF-8, and for bytes that are not there: a program may have
 * transferred the memory that a record lies in. A leading U+FEFF is text like any other.
 */
export function decodeText(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  if (end > bytes.length) throw new TypeError(`expected bytes ${start} to ${end}, found ${bytes.length}: was their memory transferred?`);
  if (end - start <= SHORT_LENGTH_MAX) {
    const text = decodeAscii(bytes, start, end);
    if (text !== null) return text;
  }
  return decoder.decode(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
}

/** Eight characters and less by one call, more of them by one with a list: no string is made on the way to another. */
function decodeAscii(bytes: Uint8Array, start: number, end: number): string | null {
  const length = end - start;
  if (length > 8) return decodeLongerAscii(bytes, start, length);
  const a = bytes[start] as number;
  const b = bytes[start + 1] as number;
  const c = bytes[start + 2] as number;
  const d = bytes[start + 3] as number;
  if (length < 4) {
    if (length === 3) return (a | b | c) > 0x7f ? null : String.fromCharCode(a, b, c);
    if (length === 2) return (a | b) > 0x7f ? null : String.fromCharCode(a, b);
    if (length === 1) return a > 0x7f ? null : String.fromCharCode(a);
    return "";
  }
  if ((a | b | c | d) > 0x7f) return null;
  if (length === 4) return String.fromCharCode(a, b, c, d);
  const e = bytes[start + 4] as number;
  if (length === 5) return e > 0x7f ? null : String.fromCharCode(a, b, c, d, e);
  const f = bytes[start + 5] as number;
  if (length === 6) return (e | f) > 0x7f ? null : String.fromCharCode(a, b, c, d, e, f);
  const g = bytes[start + 6] as number;
  if (length === 7) return (e | f | g) > 0x7f ? null : String.fromCharCode(a, b, c, d, e, f, g);
  const h = bytes[start + 7] as number;
  return (e | f | g | h) > 0x7f ? null : String.fromCharCode(a, b, c, d, e, f, g, h);
}

function decodeLongerAscii(bytes: Uint8Array, start: number, length: number): string | null {
  const units = lists[length] as number[];
  let seen = 0;
  for (let at = 0; at < length; at += 1) {
    const unit = bytes[start + at] as number;
    seen |= unit;
    units[at] = unit;
  }
  return seen > 0x7f ? null : String.fromCharCode.apply(null, units);
}

/** In every runtime of ours; only the es2023 library does not name it yet. */
function requireWellFormed(text: string): void {
  if (!(text as unknown as { isWellFormed(): boolean }).isWellFormed()) {
    throw new TypeError("the text has half a surrogate pair, which UTF-8 cannot hold");
  }
}
