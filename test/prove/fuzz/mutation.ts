/** Bytes made wrong with an eye for where it hurts: lengths and counts at their borders, cuts, splices, bits. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

export type Field = readonly [at: number, byteLength: 1 | 2 | 4 | 8];

/** What is known of the bytes that are mutated. */
export interface Shape {
  /** Where whole numbers stand, big-endian. */
  readonly fields?: readonly Field[];
  readonly isText?: boolean;
}

const WORDS = [
  "",
  "-1",
  "0",
  "1",
  "-0",
  "1e9",
  "2147483647",
  "2147483648",
  "-2147483648",
  "9007199254740991",
  "9007199254740993",
  "9223372036854775807",
  "99999999999999999999999",
  "NaN",
  "Infinity",
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "\u0000",
  "\ufeff",
  "\u2028",
  "é",
  "__proto__",
  "constructor",
  " ",
  "\t",
  "\r",
  "\n",
  "\\",
  "%",
  "%%",
  '"',
  "'",
  "=",
  ":",
  ",",
  "/",
  "../",
  "\\u0000",
  "\\x00",
  "-",
  "--",
  "x".repeat(300),
  "[".repeat(600),
  '{"a":'.repeat(200),
];
const encoder = new TextEncoder();

/** One to three changes of `specimen`, in memory of its own. `other`: what it may be spliced with. */
export function mutated(specimen: Uint8Array, other: Uint8Array, shape: Shape, random: SeededRandom): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(specimen);
  for (let changes = random.pick([1, 1, 1, 2, 3]); changes > 0; changes -= 1) bytes = changed(bytes, other, shape, random);
  return bytes;
}

function changed(
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  { fields, isText }: Shape,
  random: SeededRandom,
): Uint8Array<ArrayBuffer> {
  const at = random.integer(0, bytes.length + 1);
  const kind = random.integer(0, 12);
  if (isText === true && kind < 6) return withWord(bytes, random);
  if (fields !== undefined && fields.length > 0 && kind < 4) return withNumber(bytes, random.pick(fields), random);
  switch (kind) {
    case 0:
    case 1:
      return withNumber(bytes, [random.integer(0, Math.max(1, bytes.length)), random.pick([1, 2, 4, 8])], random);
    case 2:
    case 3:
      return spliced(
        bytes,
        at,
        Math.min(bytes.length, at + random.pick([0, 1, 1, 2])),
        varint(edge(bytes.length - at, random), random.chance(0.7)),
      );
    case 4:
      return bytes.slice(0, at);
    case 5:
      return bytes.slice(at);
    case 6: {
      const from = random.integer(0, other.length + 1);
      return spliced(bytes, at, bytes.length, other.subarray(from));
    }
    case 7: {
      const end = Math.min(bytes.length, at + random.integer(0, 40));
      return spliced(bytes, at, at, bytes.subarray(random.integer(0, at + 1), end));
    }
    case 8:
      return spliced(bytes, at, Math.min(bytes.length, at + random.integer(1, 20)), new Uint8Array(0));
    case 9:
      return spliced(bytes, at, at, random.bytes(random.integer(1, 12)));
    case 10: {
      const run = random.pick([0, 0xff, 0x80, 0x7f]);
      return bytes.fill(run, at, Math.min(bytes.length, at + random.integer(1, 12)));
    }
    default: {
      if (bytes.length === 0) return bytes;
      const place = random.integer(0, bytes.length);
      bytes[place] = (bytes[place] as number) ^ (1 << random.integer(0, 8));
      return bytes;
    }
  }
}

/** A number at, or next to, a border. */
function edge(remaining: number, random: SeededRandom): bigint {
  const borders = [
    0n,
    -1n,
    1n,
    127n,
    128n,
    255n,
    2n ** 15n,
    2n ** 16n,
    2n ** 31n - 1n,
    -(2n ** 31n),
    2n ** 32n,
    2n ** 53n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ];
  return random.pick([...borders, BigInt(remaining), BigInt(remaining), BigInt(remaining >> 1)]) + BigInt(random.integer(-1, 2));
}

function withNumber(bytes: Uint8Array<ArrayBuffer>, [at, byteLength]: Field, random: SeededRandom): Uint8Array<ArrayBuffer> {
  let value = BigInt.asUintN(64, edge(bytes.length - at - byteLength, random));
  const littleEndian = random.chance(0.2);
  for (let place = 0; place < byteLength; place += 1) {
    const to = littleEndian ? at + place : at + byteLength - 1 - place;
    if (to < bytes.length) bytes[to] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

function varint(value: bigint, zigzag: boolean): Uint8Array {
  let raw = BigInt.asUintN(64, zigzag ? (value << 1n) ^ (value >> 63n) : value);
  const bytes: number[] = [];
  for (; raw > 0x7fn; raw >>= 7n) bytes.push(Number(raw & 0x7fn) | 0x80);
  bytes.push(Number(raw));
  return Uint8Array.from(bytes);
}

/** One run of digits, letters or signs becomes another, or a line comes twice, or goes. */
function withWord(bytes: Uint8Array<ArrayBuffer>, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(bytes).toString("latin1");
  const isLine = random.chance(0.2);
  const found = [...text.matchAll(isLine ? /[^\n]*\n?/g : /[A-Za-z_]+|\d+|[^\w\s]|\s/g)];
  if (found.length === 0) return encoder.encode(random.pick(WORDS)) as Uint8Array<ArrayBuffer>;
  const { index, 0: word } = random.pick(found);
  const end = index + word.length;
  if (isLine)
    return random.chance(0.5) ? spliced(bytes, end, end, bytes.subarray(index, end)) : spliced(bytes, index, end, new Uint8Array(0));
  return spliced(bytes, index, end, encoder.encode(random.pick(WORDS)));
}

function spliced(bytes: Uint8Array, from: number, to: number, put: Uint8Array): Uint8Array<ArrayBuffer> {
  const answer = new Uint8Array(from + put.length + bytes.length - to);
  answer.set(bytes.subarray(0, from));
  answer.set(put, from);
  answer.set(bytes.subarray(to), from + put.length);
  return answer;
}
