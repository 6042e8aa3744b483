/** A WebAssembly module taken apart as far as its instructions, and put together again with some of them replaced. */

const TYPE_SECTION = 1;
const FUNCTION_SECTION = 3;
const GLOBAL_SECTION = 6;
const EXPORT_SECTION = 7;
const CODE_SECTION = 10;

const FUNCTION_EXPORT = 0;

export const UNREACHABLE = 0x00;
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const ELSE = 0x05;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const BR_TABLE = 0x0e;
export const RETURN = 0x0f;
export const CALL = 0x10;
/** Of the prefixes' instructions `op` is prefix * 256 + number. */
export const BULK_PREFIX = 0xfc;
export const SIMD_PREFIX = 0xfd;

/**
 * @typedef {{ op: number, at: number, end: number, immediate: number | bigint | undefined, immediateAt: number }} Instruction
 *   `at` and `end` are places in the function's body.
 * @typedef {{ params: number[], results: number[] }} Signature value types, as the format numbers them
 * @typedef {{ index: number, signature: Signature, names: string[], body: Uint8Array, instructions: Instruction[] }} WasmFunction
 */

export class WasmModuleBytes {
  /** @type {{ id: number, bytes: Uint8Array }[]} */
  #sections = [];
  /** @type {Signature[]} */
  types = [];
  /** @type {WasmFunction[]} */
  functions = [];

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    const reader = new Reader(bytes, 8);
    while (reader.at < bytes.length) {
      const id = reader.byte();
      const byteLength = reader.unsigned();
      this.#sections.push({ id, bytes: bytes.subarray(reader.at, reader.at + byteLength) });
      reader.at += byteLength;
    }
    this.#readTypes();
    this.#readFunctions();
  }

  /** @param {number} index @param {Uint8Array} body another one for that function */
  withBody(index, body) {
    return this.#written({ bodies: this.functions.map((known) => (known.index === index ? body : known.body)) });
  }

  /** Every function sets an exported global of its own, `entered<index>`, when it is entered. */
  withProbes() {
    const globalCount = this.#globalCount();
    const bodies = this.functions.map(({ index, body, instructions }) => {
      const start = instructions[0]?.at ?? body.length - 1;
      return concat(body.subarray(0, start), [0x41, 1, 0x24, ...unsigned(globalCount + index)], body.subarray(start));
    });
    const globals = this.functions.map(() => [0x7f, 1, 0x41, 0, END]);
    const exports = this.functions.map(({ index }) => {
      const name = new TextEncoder().encode(`entered${index}`);
      return [...unsigned(name.length), ...name, 3, ...unsigned(globalCount + index)];
    });
    return this.#written({ bodies, globals, exports });
  }

  #sectionOf(id) {
    return this.#sections.find((section) => section.id === id)?.bytes ?? Uint8Array.of(0);
  }

  #globalCount() {
    return new Reader(this.#sectionOf(GLOBAL_SECTION)).unsigned();
  }

  #readTypes() {
    const reader = new Reader(this.#sectionOf(TYPE_SECTION));
    this.types = reader.list(() => {
      if (reader.byte() !== 0x60) throw new Error("a type that is no function's");
      return { params: reader.list(() => reader.byte()), results: reader.list(() => reader.byte()) };
    });
  }

  #readFunctions() {
    const signatures = new Reader(this.#sectionOf(FUNCTION_SECTION));
    const types = signatures.list(() => this.types[signatures.unsigned()]);
    const names = types.map(() => []);
    const exported = new Reader(this.#sectionOf(EXPORT_SECTION));
    exported.list(() => {
      const name = new TextDecoder().decode(exported.take(exported.unsigned()));
      const kind = exported.byte();
      const index = exported.unsigned();
      if (kind === FUNCTION_EXPORT) names[index].push(name);
    });
    const code = new Reader(this.#sectionOf(CODE_SECTION));
    const bodies = code.list(() => code.take(code.unsigned()));
    // The core imports nothing, so that a function's index is its place among the bodies.
    this.functions = bodies.map((body, index) => ({
      index,
      signature: types[index],
      names: names[index],
      body,
      instructions: instructionsOf(body),
    }));
  }

  #written({ bodies, globals = [], exports = [] }) {
    const parts = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)];
    const more = { [GLOBAL_SECTION]: globals, [EXPORT_SECTION]: exports };
    for (const { id, bytes } of this.#sections) {
      let section = bytes;
      if (id === CODE_SECTION) section = concat(unsigned(bodies.length), ...bodies.flatMap((body) => [unsigned(body.length), body]));
      else if (more[id]?.length > 0) {
        const reader = new Reader(bytes);
        const count = reader.unsigned();
        section = concat(unsigned(count + more[id].length), bytes.subarray(reader.at), ...more[id]);
      }
      parts.push([id], unsigned(section.length), section);
    }
    return concat(...parts);
  }
}

/** @param {Uint8Array} body locals, then instructions @returns {Instruction[]} */
function instructionsOf(body) {
  const reader = new Reader(body);
  reader.list(() => [reader.unsigned(), reader.byte()]);
  const answer = [];
  while (reader.at < body.length) {
    const at = reader.at;
    let op = reader.byte();
    if (op === BULK_PREFIX || op === SIMD_PREFIX) op = op * 256 + reader.unsigned();
    const immediateAt = reader.at;
    const immediate = immediateOf(op, reader);
    answer.push({ op, at, end: reader.at, immediate, immediateAt });
  }
  return answer;
}

/** Steps over what stands behind the opcode, and answers it where it is one number: of a load or store, its offset. */
function immediateOf(op, reader) {
  const memory = () => {
    reader.unsigned();
    return reader.unsigned();
  };
  if (op >> 8 === SIMD_PREFIX) {
    const number = op & 0xff;
    if (number <= 11 || number === 92 || number === 93) return memory();
    if (number === 12 || number === 13) return void reader.take(16);
    if (number >= 21 && number <= 34) return reader.byte();
    if (number >= 84 && number <= 91) {
      const offset = memory();
      reader.byte();
      return offset;
    }
    return undefined;
  }
  if (op >> 8 === BULK_PREFIX) {
    const number = op & 0xff;
    if (number === 10) return void reader.take(2);
    if (number === 11) return void reader.take(1);
    if (number >= 8) throw new Error(`no bulk instruction ${number} is known here`);
    return undefined;
  }
  if (op === BLOCK || op === LOOP || op === IF) return Number(reader.signed());
  if (op === BR || op === BR_IF || op === CALL || (op >= 0x20 && op <= 0x24)) return reader.unsigned();
  if (op === BR_TABLE) {
    reader.list(() => reader.unsigned());
    return reader.unsigned();
  }
  if (op >= 0x28 && op <= 0x3e) return memory();
  if (op === 0x3f || op === 0x40) return reader.byte();
  if (op === 0x41) return Number(reader.signed());
  if (op === 0x42) return reader.signed();
  if (op === 0x44) return reader.float64();
  const bare = op <= 0x01 || op === ELSE || op === END || op === RETURN || op === 0x1a || op === 0x1b || (op >= 0x45 && op <= 0xc4);
  if (!bare) throw new Error(`no instruction 0x${op.toString(16)} is known here`);
  return undefined;
}

class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  take(byteLength) {
    this.at += byteLength;
    return this.bytes.subarray(this.at - byteLength, this.at);
  }

  unsigned() {
    let value = 0;
    for (let weight = 1; ; weight *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
  }

  signed() {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(Number(shift) + 7, value);
    }
  }

  float64() {
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
  }

  list(read) {
    return Array.from({ length: this.unsigned() }, read);
  }
}

/** @param {number} value */
export function unsigned(value) {
  const bytes = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}

/** @param {bigint} value */
export function signed(value) {
  const bytes = [];
  for (let left = value; ; ) {
    const byte = Number(left & 0x7fn);
    left >>= 7n;
    if ((left === 0n && byte < 0x40) || (left === -1n && byte >= 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
