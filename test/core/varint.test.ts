import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CoreExports } from "../../src/core/core-exports.ts";
import { BUILDS, exportsOf } from "./builds.ts";
import { slowReadVarint, slowVarint } from "./twin/varint.ts";
import { fromHex, toHex, vectors } from "./vectors.ts";

const AT = 200_000;
const anyInt32 = fc
  .oneof(
    fc.integer(),
    fc.integer({ min: -70, max: 70 }),
    fc.tuple(fc.nat(31), fc.integer({ min: -1, max: 1 })).map(([bits, by]) => ((2 ** bits) | 0) + by),
  )
  .map((value) => value | 0);
const anyInt64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.bigInt({ min: -1n, max: 1n }))
    .map(([bits, by]) => BigInt.asIntN(64, 2n ** BigInt(bits) + by)),
);

/** What the core's readers and writers do, in plain values. */
class Varints {
  readonly #raw: CoreExports;
  readonly #bytes: Uint8Array;
  readonly #mailbox: DataView;

  constructor(raw: CoreExports) {
    this.#raw = raw;
    this.#bytes = new Uint8Array(raw.memory.buffer);
    this.#mailbox = new DataView(raw.memory.buffer, raw.initialize());
  }

  written(value: bigint, bits: 32 | 64): Uint8Array {
    this.#bytes.fill(0xee, AT, AT + 12);
    const byteLength = bits === 32 ? this.#raw.encodeVarint(AT, Number(value)) : this.#raw.encodeVarlong(AT, value);
    expect(this.#bytes[AT + byteLength], "nothing is written behind it").toBe(0xee);
    return this.#bytes.slice(AT, AT + byteLength);
  }

  /** `at`: so that a reader that goes too far leaves memory. */
  read(bytes: Uint8Array, bits: 32 | 64): ReturnType<typeof slowReadVarint> {
    const at = this.#bytes.length - bytes.length;
    this.#bytes.set(bytes, at);
    const byteLength = bits === 32 ? this.#raw.decodeVarint(at, bytes.length) : this.#raw.decodeVarlong(at, bytes.length);
    if (byteLength < 0) {
      expect(byteLength, "what is said of it").toBe(-1);
      return null;
    }
    const low = this.#mailbox.getInt32(0, true);
    const value = bits === 32 ? BigInt(low) : (BigInt(this.#mailbox.getInt32(8, true)) << 32n) | BigInt(low >>> 0);
    return { value, end: byteLength };
  }
}

describe.each(BUILDS)("varints (%s)", (build) => {
  it("are Kafka's, written and read", async () => {
    const varints = new Varints(await exportsOf(build));
    for (const { value, zigzag32Hex } of vectors.varint) {
      expect(toHex(varints.written(BigInt(value), 32)), `${value}`).toBe(zigzag32Hex);
      expect(varints.read(fromHex(zigzag32Hex), 32)?.value, zigzag32Hex).toBe(BigInt(value));
    }
    for (const { value, zigzag64Hex } of vectors.varlong) {
      expect(toHex(varints.written(BigInt(value), 64)), value).toBe(zigzag64Hex);
      expect(varints.read(fromHex(zigzag64Hex), 64)?.value, zigzag64Hex).toBe(BigInt(value));
    }
  });

  it("are written as by dividing", async () => {
    const varints = new Varints(await exportsOf(build));
    fc.assert(
      fc.property(anyInt32, anyInt64, (int32, int64) => {
        expect([...varints.written(BigInt(int32), 32)]).toEqual(slowVarint(BigInt(int32)));
        expect([...varints.written(int64, 64)]).toEqual(slowVarint(int64));
      }),
      { numRuns: 1000 },
    );
  });

  it("are read as by multiplying, whatever the bytes, and never past their end", async () => {
    const varints = new Varints(await exportsOf(build));
    const anyByte = fc.oneof(fc.nat(255), fc.integer({ min: 0x80, max: 0xff }));
    fc.assert(
      fc.property(fc.array(anyByte, { maxLength: 12 }), fc.constantFrom(32 as const, 64 as const), (list, bits) => {
        const bytes = new Uint8Array(list);
        expect(varints.read(bytes, bits)).toEqual(slowReadVarint(bytes, 0, bits));
      }),
      { numRuns: 2000 },
    );
  });

  it("have no more bytes than their bits need, however many are there", async () => {
    const varints = new Varints(await exportsOf(build));
    for (const bits of [32, 64] as const) {
      for (let more = 0; more <= 12; more++) {
        for (const last of [0, 1, 0x7f]) {
          const bytes = new Uint8Array([...new Uint8Array(more).fill(0xff), last, 0]);
          expect(varints.read(bytes, bits), `${more} bytes before ${last}, ${bits} bits`).toEqual(slowReadVarint(bytes, 0, bits));
        }
      }
    }
  });
});
