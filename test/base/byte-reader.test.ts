import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../src/base/byte-reader.ts";
import { ByteWriter } from "../../src/base/byte-writer.ts";

describe("message bytes", () => {
  it("reads back every field that was written", () => {
    const field = fc.oneof(
      fc.record({ kind: fc.constant("int16" as const), value: fc.integer({ min: -32768, max: 32767 }) }),
      fc.record({ kind: fc.constant("int32" as const), value: fc.integer() }),
      fc.record({ kind: fc.constant("int64" as const), value: fc.maxSafeInteger() }),
      fc.record({ kind: fc.constant("nullableString" as const), value: fc.option(fc.string({ unit: "binary", maxLength: 200 })) }),
      fc.record({ kind: fc.constant("nullableBytes" as const), value: fc.option(fc.uint8Array({ maxLength: 200 })) }),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 30 }), (fields) => {
        const writer = new ByteWriter(1);
        for (const { kind, value } of fields) writer[kind](value as never);
        const reader = new ByteReader(writer.finish(), "test");
        for (const { kind, value } of fields) {
          expect(kind === "int64" ? reader.int64AsNumber() : reader[kind]()).toEqual(value);
        }
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  it("reads 64 bits exactly as bigint and nearest as number", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setBigInt64(0, value);
        expect(new ByteReader(bytes, "test").int64()).toBe(value);
        expect(new ByteReader(bytes, "test").int64AsNumber()).toBe(Number(value));
      }),
    );
  });

  it("says what, where and how much when the bytes end too early, and never reads past them", () => {
    const whole = new ByteWriter().string("orders").int32(7).finish();
    for (let length = 0; length < whole.byteLength; length++) {
      const reader = new ByteReader(whole.subarray(0, length), "OffsetCommitKey");
      expect(() => [reader.string(), reader.int32()]).toThrow(/^OffsetCommitKey, byte \d+ of \d+: a field needs \d+ bytes, \d+ are left$/);
    }
  });

  it("refuses an array that cannot fit before anything is made for it", () => {
    const bytes = new ByteWriter().int32(2 ** 31 - 1).finish();
    expect(() => new ByteReader(bytes, "test").arrayCount(4)).toThrow("an array of 2147483647 elements needs 8589934588 bytes, 0 are left");
  });

  it("refuses a length below -1, a null where none may be, and a varint without an end", () => {
    expect(() => new ByteReader(new ByteWriter().int32(-2).finish(), "test").nullableBytes()).toThrow("a length is -2");
    expect(() => new ByteReader(new ByteWriter().int16(-1).finish(), "test").string()).toThrow("a string is null");
    expect(() => new ByteReader(new Uint8Array(6).fill(0x80), "test").unsignedVarint()).toThrow("no end within five bytes");
    // Nor is it read on where the sixth would end it.
    expect(() => new ByteReader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 1), "test").unsignedVarint()).toThrow(
      "no end within five bytes",
    );
  });

  it("refuses to write a string too long for its length field", () => {
    expect(() => new ByteWriter().string("x".repeat(32_768))).toThrow("found 32768 bytes");
    expect(new ByteWriter().string("x".repeat(32_767)).finish().byteLength).toBe(32_769);
  });

  it("refuses a number that 53 bits do not hold, and a tagged field that reads beyond its own bytes", () => {
    for (const value of [2 ** 53, -(2 ** 53), 0.5, Number.NaN]) {
      expect(() => new ByteWriter(8).int64(value)).toThrowError(`expected a safe integer, found ${value}`);
    }
    // One field, tag 5, of one byte; then four bytes that are not its.
    const reader = new ByteReader(Uint8Array.of(1, 5, 1, 9, 9, 9, 9), "test");
    expect(() => reader.taggedFields(() => reader.int32())).toThrowError("tagged field 5 needs more than its 1 bytes");
  });
});
