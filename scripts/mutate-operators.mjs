/** What is done to one instruction of the core at a time: the faults a hand might make, as far as their types let them stand. */
import {
  BLOCK,
  BR,
  BR_IF,
  BR_TABLE,
  BULK_PREFIX,
  CALL,
  ELSE,
  END,
  IF,
  LOOP,
  RETURN,
  SIMD_PREFIX,
  signed,
  UNREACHABLE,
  unsigned,
} from "./mutate-wasm.mjs";

const DROP = 0x1a;
const SELECT = 0x1b;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const GLOBAL_SET = 0x24;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const F64_CONST = 0x44;
const I32_EQZ = 0x45;
const I64_EQZ = 0x50;
const I64_NE = 0x52;
const I64_ROTL = 0x89;
const I64_ROTR = 0x8a;
const simd = (number) => SIMD_PREFIX * 256 + number;
const V128_STORE = simd(11);

/** Each to what it is negated to, and to its neighbour that differs in the case of equality. */
const comparisons = new Map();
for (const first of [0x46, 0x51]) {
  const [eq, ne, ltS, ltU, gtS, gtU, leS, leU, geS, geU] = Array.from({ length: 10 }, (_, i) => first + i);
  pairs(
    [
      [eq, ne],
      [ltS, geS],
      [ltU, geU],
      [gtS, leS],
      [gtU, leU],
    ],
    "negated",
  );
  pairs(
    [
      [ltS, leS],
      [ltU, leU],
      [gtS, geS],
      [gtU, geU],
    ],
    "off by one",
  );
}
pairs(
  [
    [0x61, 0x62],
    [0x63, 0x66],
    [0x64, 0x65],
  ],
  "negated",
);
pairs(
  [
    [0x63, 0x65],
    [0x64, 0x66],
  ],
  "off by one",
);

/** Arithmetic to another of the same types. */
const arithmetic = new Map();
for (const first of [0x6a, 0x7c]) {
  const [add, sub, mul, , , , remU, and, or, xor, shl, shrS, shrU, rotl, rotr] = Array.from({ length: 15 }, (_, i) => first + i);
  for (const [from, to] of [
    [add, sub],
    [sub, add],
    [mul, add],
    [remU, add],
    [and, or],
    [or, and],
    [xor, or],
    [shl, shrU],
    [shrS, shrU],
    [shrU, shl],
    [rotl, rotr],
    [rotr, rotl],
  ])
    arithmetic.set(from, to);
}
for (const [from, to] of [
  [0xa0, 0xa1],
  [0xa1, 0xa0],
  [0xa2, 0xa0],
  [0xac, 0xad],
  [0xad, 0xac],
])
  arithmetic.set(from, to);
// v128: and, or, xor; then shifts, addition and subtraction of lanes.
for (const [from, to] of [
  [78, 80],
  [80, 78],
  [81, 80],
  [171, 173],
  [173, 171],
  [174, 177],
  [177, 174],
  [203, 205],
  [205, 203],
  [206, 209],
  [209, 206],
])
  arithmetic.set(simd(from), simd(to));

function pairs(list, what) {
  for (const [left, right] of list) {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ])
      comparisons.set(from, [...(comparisons.get(from) ?? []), { to, what }]);
  }
}

const bytesOf = (op) => (op < 256 ? [op] : [op >> 8, ...unsigned(op & 0xff)]);

/**
 * Every mutant of a function: `what` says what was done at which instruction, `body` is the function's other body.
 * @param {import("./mutate-wasm.mjs").WasmModuleBytes} module
 * @param {import("./mutate-wasm.mjs").WasmFunction} fn
 * @param {ReadonlySet<number>} panics functions that only ever trap
 * @returns {{ fn: number, instruction: number, what: string, body: () => Uint8Array }[]}
 */
export function mutantsOf(module, fn, panics) {
  if (panics.has(fn.index)) return [];
  const dying = dyingInstructions(fn, panics);
  return fn.instructions.flatMap((instruction, index) => {
    if (dying.has(index) || isNoChange(fn.instructions, index)) return [];
    return changesOf(module, fn, instruction).map(({ what, bytes }) => ({
      fn: fn.index,
      instruction: index,
      what,
      body: () => Uint8Array.from([...fn.body.subarray(0, instruction.at), ...bytes, ...fn.body.subarray(instruction.end)]),
    }));
  });
}

/** Halves exchanged are the same in either direction: a rotation of 64 bits by 32. */
function isNoChange(instructions, index) {
  const before = instructions[index - 1];
  return (
    (instructions[index].op === I64_ROTL || instructions[index].op === I64_ROTR) && before?.op === I64_CONST && before.immediate === 32n
  );
}

/** Functions that go straight to a trap. */
export function panicFunctions(module) {
  return new Set(
    module.functions
      .filter(({ instructions }) => instructions.at(-2)?.op === UNREACHABLE && !instructions.slice(0, -1).some(isControl))
      .map(({ index }) => index),
  );
}

/** Those that run on the way to a trap and to nothing else: what number a fault leaves behind is no business of the data's. */
function dyingInstructions(fn, panics) {
  const answer = new Set();
  let isDying = false;
  for (let index = fn.instructions.length - 1; index >= 0; index--) {
    const instruction = fn.instructions[index];
    if (instruction.op === UNREACHABLE || (instruction.op === CALL && panics.has(instruction.immediate))) isDying = true;
    else if (isControl(instruction)) isDying = false;
    if (isDying) answer.add(index);
  }
  return answer;
}

function isControl({ op }) {
  return [BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN].includes(op);
}

function changesOf(module, fn, { op, at, end, immediate, immediateAt }) {
  const own = [...fn.body.subarray(at, end)];
  const changes = [];
  const add = (what, bytes) => changes.push({ what, bytes });
  for (const { to, what } of comparisons.get(op) ?? []) add(`comparison ${what}`, bytesOf(to));
  if (arithmetic.has(op)) add("arithmetic changed", bytesOf(arithmetic.get(op)));
  if (op === I32_EQZ) add("comparison negated", [I32_CONST, 0, 0x47]);
  if (op === I64_EQZ) add("comparison negated", [I64_CONST, 0, I64_NE]);
  if (op === BR_IF || op === IF || op === SELECT) add("condition negated", [I32_EQZ, ...own]);
  if (op === I32_CONST) {
    for (const by of [1, -1]) add(`constant ${by > 0 ? "plus" : "minus"} one`, [I32_CONST, ...signed(BigInt((immediate + by) | 0))]);
  }
  if (op === I64_CONST) {
    for (const by of [1n, -1n])
      add(`constant ${by > 0n ? "plus" : "minus"} one`, [I64_CONST, ...signed(BigInt.asIntN(64, immediate + by))]);
  }
  if (op === F64_CONST) add("constant plus one", [F64_CONST, ...new Uint8Array(Float64Array.of(immediate + 1).buffer)]);
  if ((op >= 0x36 && op <= 0x3e) || op === V128_STORE) add("store removed", [DROP, DROP]);
  if (((op >= 0x28 && op <= 0x3e) || op === simd(0) || op === V128_STORE) && immediate > 0) {
    const alignEnd = immediateAt + 1;
    add("offset plus one", [...fn.body.subarray(at, alignEnd), ...unsigned(immediate + 1)]);
  }
  if (op === LOCAL_SET || op === GLOBAL_SET) add("assignment removed", [DROP]);
  if (op === LOCAL_TEE) add("assignment removed", []);
  if (op >> 8 === BULK_PREFIX && (op & 0xff) >= 10) add("copy removed", [DROP, DROP, DROP]);
  if (op === CALL) {
    const { params, results } = module.functions[immediate].signature;
    if (results.every((type) => type === 0x7f || type === 0x7e)) {
      add("call removed", [...params.map(() => DROP), ...results.flatMap((type) => [type === 0x7f ? I32_CONST : I64_CONST, 0])]);
    }
  }
  return changes;
}
