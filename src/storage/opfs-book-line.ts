/**
 * A line of the book of names: a checksum, how far the book was durable when the line was written, and one change, as text.
 * `89ab12cd [2048,"f","orders-0/00000000000000000000.log",7]\n`
 */

/** Makes a directory, removes one, names a numbered file (in place of whatever had the name), removes a name, renames a file, a directory. */
export type NameChange =
  | readonly ["mkdir" | "rmdir" | "remove", name: string]
  | readonly ["name", name: string, slot: number]
  | readonly ["rename" | "renameDirectory", from: string, to: string];

/** The first line of a book: which of the two is the newer, and how many lines after it make it whole. */
export type BookHead = readonly ["odradek.opfs", version: 1, generation: number, lineCount: number];

/** Nothing but how far the book is durable: written behind each flush, without a flush of its own. */
export type BookMark = readonly ["durable"];

export interface BookLine {
  readonly durableLength: number;
  readonly said: NameChange | BookHead | BookMark;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const NEWLINE = 10;
/** Before the JSON: the sum in eight hexadecimal digits, and a space. */
const SUM_LENGTH = 9;
let table: Uint32Array | null = null;

export function encodeLine(durableLength: number, said: BookLine["said"]): Uint8Array {
  const json = encoder.encode(JSON.stringify([durableLength, ...said]));
  const line = new Uint8Array(SUM_LENGTH + json.length + 1);
  line.set(encoder.encode(`${crc32(json).toString(16).padStart(8, "0")} `));
  line.set(json, SUM_LENGTH);
  line[line.length - 1] = NEWLINE;
  return line;
}

/** The line that ends at `end` (behind its newline); null where the bytes are not one that was written. */
export function parseLine(bytes: Uint8Array, from: number, end: number): BookLine | null {
  if (end - from <= SUM_LENGTH + 1) return null;
  const json = bytes.subarray(from + SUM_LENGTH, end - 1);
  try {
    if (Number.parseInt(decoder.decode(bytes.subarray(from, from + SUM_LENGTH - 1)), 16) !== crc32(json)) return null;
    const [durableLength, ...said] = JSON.parse(decoder.decode(json)) as [number, ...BookLine["said"]];
    return { durableLength, said };
  } catch {
    return null;
  }
}

/** Behind the next newline at or after `from`; -1 where there is none. */
export function lineEnd(bytes: Uint8Array, from: number): number {
  return bytes.indexOf(NEWLINE, from) + 1 || -1;
}

/** CRC-32 as in gzip; a book is a few kilobytes. */
function crc32(bytes: Uint8Array): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (table[(sum ^ byte) & 255] as number);
  return (sum ^ 0xffffffff) >>> 0;
}
