/** Kafka's checkpoint text: a version, a count, and so many lines of white-space separated columns. */
import type { Bytes } from "../../api/bytes.ts";
import { bookCorrupt } from "../files/replace-file.ts";

// 0\n                 version
// 2\n                 how many entries follow
// orders 0 4096\n     one line each, the last one ended like the others
// orders 1 17\n
const VERSION = "0";

/** Far beyond any directory; a longer file is not read. */
export const CHECKPOINT_BYTE_LENGTH_MAX: number = 64 * 1024 * 1024;

const encoder = new TextEncoder();

export function encodeCheckpoint(lines: readonly string[]): Bytes {
  return encoder.encode(`${[VERSION, String(lines.length), ...lines].join("\n")}\n`);
}

/**
 * The columns of every entry. As Kafka has it, an empty file and a version alone hold no entries. Beyond Kafka, the last
 * line must be ended: these files have no checksum, and a cut number would pass for a smaller one.
 */
export function decodeCheckpoint(bytes: Uint8Array, file: string, columnCount: number): string[][] {
  const lines = textOf(bytes, file).split(/\r\n|\n|\r/);
  const wrong = (reason: string): never => {
    throw bookCorrupt(file, reason, [0, bytes.byteLength]);
  };
  const remainder = lines.pop();
  if (lines.length === 0 && remainder === "") return [];
  if (lines.length === 0) lines.push(remainder as string);
  else if (remainder !== "") wrong(`expected a line end after the last line, found none after "${excerpt(remainder as string)}"`);
  const [version, count, ...entries] = lines as [string, string | undefined, ...string[]];
  if (version !== VERSION) wrong(`line 1: expected version ${VERSION}, found "${excerpt(version)}"`);
  if (count === undefined) return [];
  if (wholeNumber(count) !== entries.length) wrong(`line 2: says "${excerpt(count)}" entries follow, found ${entries.length}`);
  return entries.map((entry, index) => {
    const columns = entry.trimEnd().split(/\s+/);
    return columns.length === columnCount
      ? columns
      : wrong(`line ${index + 3}: expected ${columnCount} columns, found "${excerpt(entry)}"`);
  });
}

/** 0 to 2^53-1 in plain decimal; null for anything else. */
export function wholeNumber(text: string): number | null {
  if (!/^[0-9]{1,16}$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

export function excerpt(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function textOf(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bookCorrupt(file, "expected UTF-8 text, found other bytes", [0, bytes.byteLength]);
  }
}
