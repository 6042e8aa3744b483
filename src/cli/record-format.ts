/** kcat's format strings: what is printed of each record, and in what order. */
import { CommandLineError } from "./cli-error.ts";

/** A record with its key and value as they are to be shown. */
export interface ShownRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
}

export type Formatter = (record: ShownRecord) => Uint8Array[];

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const text = (value: string | number): Uint8Array => encoder.encode(String(value));

/** As kcat: `name=value` with commas between; a null value has no `=`. */
function headersText(headers: ShownRecord["headers"]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [index, [name, value]] of headers.entries()) {
    parts.push(text(`${index === 0 ? "" : ","}${name}${value === null ? "" : "="}`), value ?? EMPTY);
  }
  return Buffer.concat(parts);
}

/** %… by its letter. Lengths of what is null are -1. */
const FIELDS: Readonly<Record<string, (record: ShownRecord, nullText: Uint8Array) => Uint8Array>> = {
  t: (record) => text(record.topic),
  p: (record) => text(record.partition),
  o: (record) => text(record.offset),
  k: (record, nullText) => record.key ?? nullText,
  K: (record) => text(record.key?.byteLength ?? -1),
  s: (record, nullText) => record.value ?? nullText,
  S: (record) => text(record.value?.byteLength ?? -1),
  T: (record) => text(record.timestamp),
  h: (record) => headersText(record.headers),
  "%": () => text("%"),
};

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0", "\\": "\\" };

/** `nullText`: what stands for a key or value that is null. Throws a `CommandLineError` for a % or \ that means nothing. */
export function compileFormat(format: string, nullText: Uint8Array = EMPTY): Formatter {
  const parts: (Uint8Array | ((record: ShownRecord) => Uint8Array))[] = [];
  for (const match of format.matchAll(/%(.?)|\\x([0-9a-fA-F]{2})|\\(.?)|[^%\\]+/gsu)) {
    const [whole, field, code, escaped] = match;
    if (field !== undefined) {
      const show = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
      if (show === undefined)
        throw wrong(
          format,
          `%${field} stands for nothing; there are ${Object.keys(FIELDS)
            .map((each) => `%${each}`)
            .join(" ")}`,
        );
      parts.push((record) => show(record, nullText));
    } else if (code !== undefined) parts.push(Uint8Array.of(Number.parseInt(code, 16)));
    else if (escaped !== undefined) parts.push(text(unescaped(format, escaped)));
    else parts.push(text(whole));
  }
  return (record) => parts.map((part) => (typeof part === "function" ? part(record) : part));
}

/** A delimiter as it is typed: the escapes of a format string, `%` being itself. At least one byte. */
export function parseDelimiter(typed: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [whole, code, escaped] of typed.matchAll(/\\x([0-9a-fA-F]{2})|\\(.?)|[^\\]+/gsu)) {
    parts.push(
      code !== undefined ? Uint8Array.of(Number.parseInt(code, 16)) : text(escaped === undefined ? whole : unescaped(typed, escaped)),
    );
  }
  const bytes = Buffer.concat(parts);
  if (bytes.byteLength === 0) throw new CommandLineError("a delimiter: expected at least one character, found none");
  return new Uint8Array(bytes);
}

function unescaped(format: string, escaped: string): string {
  if (!Object.hasOwn(ESCAPES, escaped)) throw wrong(format, `\\${escaped} stands for nothing; there are \\n \\t \\r \\0 \\\\ and \\xHH`);
  return ESCAPES[escaped] as string;
}

function wrong(format: string, reason: string): CommandLineError {
  return new CommandLineError(`"${format}": ${reason}`);
}
