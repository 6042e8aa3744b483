/** Every field of Kafka's messages by its bytes: at the edges of its range, null where it may be, and not a byte beyond what is there. */
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../src/base/byte-reader.ts";
import { ByteWriter } from "../../src/base/byte-writer.ts";

const hex = (digits: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(digits, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** Within something larger, as a message stands in a batch. */
function reader(digits: string): ByteReader {
  const bytes = hex(`ffff${digits}ffff`);
  return new ByteReader(bytes.subarray(2, bytes.length - 2), "Message");
}

describe("a field", () => {
  it.each([
    ["int8", -128, "80"],
    ["int8", 127, "7f"],
    ["int16", -2, "fffe"],
    ["int16", 258, "0102"],
    ["int32", -2, "fffffffe"],
    ["int32", 0x01020304, "01020304"],
    ["nullableString", null, "ffff"],
    ["nullableString", "", "0000"],
    ["string", "é", "0002c3a9"],
    ["string", "\ufeffA", "0004efbbbf41"],
    ["nullableBytes", null, "ffffffff"],
    ["bytes", hex(""), "00000000"],
    ["bytes", hex("0102"), "000000020102"],
  ] as const)("%s of %j is 0x%s, written and read", (kind, value, digits) => {
    expect(toHex(new ByteWriter(0)[kind](value as never).finish())).toBe(digits);
    const read = reader(digits);
    expect(read[kind]()).toEqual(value);
    expect(read.remaining).toBe(0);
  });

  it.each([
    [0, "0000000000000000"],
    [-1, "ffffffffffffffff"],
    [2 ** 32, "0000000100000000"],
    [-(2 ** 32), "ffffffff00000000"],
    [Number.MAX_SAFE_INTEGER, "001fffffffffffff"],
    [Number.MIN_SAFE_INTEGER, "ffe0000000000001"],
  ])("of 64 bits with %d is 0x%s, as number and as bigint", (value, digits) => {
    expect(toHex(new ByteWriter(0).int64(value).finish())).toBe(digits);
    expect(toHex(new ByteWriter(0).bigInt64(BigInt(value)).finish())).toBe(digits);
    expect(reader(digits).int64AsNumber()).toBe(value);
    expect(reader(digits).int64()).toBe(BigInt(value));
  });

  it.each([
    [0, "00"],
    [1, "01"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [16_383, "ff7f"],
    [16_384, "808001"],
    [2 ** 21, "80808001"],
    [2 ** 28 - 1, "ffffff7f"],
    [2 ** 31, "8080808008"],
    [2 ** 32 - 1, "ffffffff0f"],
    [2 ** 35 - 1, "ffffffff7f"],
  ])("that is an unsigned varint of %d is 0x%s, and what stands behind it is not touched", (value, digits) => {
    const read = reader(`${digits}80`);
    expect(read.unsignedVarint()).toBe(value);
    expect(read.remaining).toBe(1);
  });

  it("that is compact counts one more than its length, and 0 for null", () => {
    expect(reader("03c3a9").compactString()).toBe("é");
    expect(reader("01").compactString()).toBe("");
    expect(reader("01").nullableCompactString()).toBe("");
    expect(reader("00").nullableCompactString()).toBeNull();
    expect(reader("0301020304").compactBytes()).toEqual(hex("0102"));
    expect(reader("01").compactBytes()).toEqual(hex(""));
    for (const [call, kind] of [
      [() => reader("00").compactString(), "a string is null"],
      [() => reader("00").compactBytes(), "a byte field is null"],
      [() => reader("ffffffff").bytes(), "a byte field is null"],
    ] as const)
      expect(call).toThrow(kind);
  });

  it("of bytes is a copy, that outlives what it was read from", () => {
    const message = hex("00000002010203");
    const read = new ByteReader(message, "Message").bytes();
    message.fill(9);
    expect([...read]).toEqual([1, 2]);
    expect(read.buffer.byteLength).toBe(2);
  });

  it("takes no byte where there are too few, so that the message says where it stood", () => {
    const read = reader("000102");
    expect(read.int8()).toBe(0);
    expect(() => read.int32()).toThrow(
      expect.objectContaining({ code: "INVALID_RECORD", message: "Message, byte 1 of 3: a field needs 4 bytes, 2 are left" }),
    );
    expect([read.remaining, read.int16(), read.remaining]).toEqual([2, 258, 0]);
    expect(() => read.int8()).toThrow("a field needs 1 bytes, 0 are left");
  });

  it.each(["nullableString", "nullableBytes"] as const)("%s may be null by -1 alone", (kind) => {
    for (const length of [-2, -32_768]) {
      const bytes = kind === "nullableString" ? new ByteWriter().int16(length) : new ByteWriter().int32(length);
      expect(() => new ByteReader(bytes.finish(), "Message")[kind]()).toThrow(`a length is ${length}; only -1`);
    }
  });
});

describe("an array", () => {
  it.each([
    ["00000002" + "00000000", 2, 2],
    ["00000002" + "00000000", 0, 2],
    ["00000000", 8, 0],
    ["ffffffff", 8, 0],
  ])("0x%s of elements of %d bytes at the least has %d", (digits, elementByteLengthMin, count) => {
    expect(reader(digits).arrayCount(elementByteLengthMin)).toBe(count);
  });

  it("has a byte too few by one element, or by one byte: then it is none", () => {
    expect(() => reader("00000002" + "000000").arrayCount(2)).toThrow("an array of 2 elements needs 4 bytes, 3 are left");
    expect(() => reader("00000003" + "00000000").arrayCount(2)).toThrow("an array of 3 elements needs 6 bytes, 4 are left");
    expect(() => reader("fffffffe").arrayCount(0)).toThrow("a length is -2");
  });

  it("that is compact counts one more, and 0 for null", () => {
    expect(reader("030000").compactArrayCount(1)).toBe(2);
    expect(reader("01").compactArrayCount(1)).toBe(0);
    expect(reader("00").compactArrayCount(1)).toBe(0);
    expect(() => reader("0300").compactArrayCount(1)).toThrow("an array of 2 elements needs 2 bytes, 1 are left");
  });
});

describe("tagged fields", () => {
  /** Two of them, tag 1 of four bytes and tag 200 of one; a byte behind. */
  const TWO = "02" + "01" + "04" + "0000000a" + "c801" + "01" + "07" + "63";

  it("are told one after the other, and stepped over to their own end, read whole, in part or not at all", () => {
    for (const take of [
      () => {},
      (read: ByteReader) => void read.int8(),
      (read: ByteReader, tag: number) => void (tag === 1 && read.int32()),
    ]) {
      const read = reader(TWO);
      const tags: number[] = [];
      read.taggedFields((tag) => {
        tags.push(tag);
        take(read, tag);
      });
      expect([tags, read.int8(), read.remaining]).toEqual([[1, 200], 0x63, 0]);
    }
    const read = reader(TWO);
    read.skipTaggedFields();
    expect(read.remaining).toBe(1);
    const none = reader("00");
    none.skipTaggedFields();
    expect(none.remaining).toBe(0);
  });

  it("that say more bytes than there are, are refused before they are read", () => {
    const read = reader("01" + "05" + "03" + "0000");
    expect(() => read.taggedFields(() => expect.unreachable())).toThrow("a field needs 3 bytes, 2 are left");
  });
});

describe("a writer", () => {
  it("grows by what it needs, from nothing, and keeps what stood before", () => {
    const large = new Uint8Array(5000).fill(7);
    const bytes = new ByteWriter(0).int8(1).bytes(large).int16(2).finish();
    expect(bytes.length).toBe(1 + 4 + 5000 + 2);
    expect([bytes[0], bytes[5], bytes[5004], bytes[5006]]).toEqual([1, 7, 7, 2]);
  });

  it("gives memory of its own: what is written later is not in it", () => {
    const writer = new ByteWriter(8).int16(1);
    const first = writer.finish();
    writer.int16(2);
    expect([toHex(first), toHex(writer.finish()), first.buffer.byteLength]).toEqual(["0001", "00010002", 2]);
  });

  it("quotes the beginning of a string that is too long, counted in bytes and not in characters", () => {
    const long = `${"0123456789".repeat(4)}!${"é".repeat(16_384)}`;
    expect(() => new ByteWriter().string(long)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/found 32809 bytes: "(0123456789){4}…"$/) }),
    );
  });
});
