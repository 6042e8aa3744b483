/** Whether `toEqual` still tells bytes apart, with the shortcut of test/equal-bytes.ts in its way. */
import { describe, expect, it } from "vitest";
import { equalBytes } from "../equal-bytes.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const LONG = 10 * 1024 * 1024;

describe("bytes", () => {
  it("are equal when each is, wherever they stand in their memory", () => {
    expect(bytes(7, 1, 2).subarray(1)).toEqual(bytes(1, 2));
    expect({ of: [bytes(1, 2)] }).toStrictEqual({ of: [bytes(1, 2)] });
    expect(bytes()).toEqual(bytes());
  });

  it("are not when one differs, when there are more or fewer, or in another order, alone or within something", () => {
    for (const other of [bytes(1, 3), bytes(1), bytes(1, 2, 0), bytes(2, 1), bytes()]) {
      expect(bytes(1, 2)).not.toEqual(other);
      expect([["a.log", bytes(1, 2)]]).not.toEqual([["a.log", other]]);
      expect(() => expect(bytes(1, 2)).toEqual(other)).toThrow();
    }
    const changed = new Uint8Array(4096);
    changed[4095] = 1;
    expect(new Uint8Array(4096)).not.toEqual(changed);
  });

  it("are no array, no text, and strictly no Buffer and no wider numbers", () => {
    expect(bytes(1, 2)).not.toEqual([1, 2]);
    expect(bytes(1, 2)).not.toEqual(new Uint16Array([1, 2]));
    expect(bytes(1, 2)).not.toStrictEqual(Buffer.from([1, 2]));
    expect(bytes(1, 2)).toEqual(expect.any(Uint8Array));
  });

  it("are compared at once, however many: the shortcut is in place", () => {
    expect(equalBytes(bytes(1), bytes(1))).toBe(true);
    expect([equalBytes(bytes(1), bytes(2)), equalBytes(bytes(1), [1]), equalBytes(bytes(1), Buffer.from([1]))]).toEqual(
      Array(3).fill(undefined),
    );
    // Byte by byte this is ten million names, and more memory than there is.
    expect(new Uint8Array(LONG)).toEqual(new Uint8Array(LONG));
  });
});
