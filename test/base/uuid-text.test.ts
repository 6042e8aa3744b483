/** Kafka's text of a uuid: 22 characters of URL-safe base64, of which each uuid has one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uuidFromText, uuidToText } from "../../src/base/uuid-text.ts";

describe("a uuid's text", () => {
  it("is what Node makes of its sixteen bytes, and they come back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = uuidToText(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64url"));
        expect(uuidFromText(text)).toEqual(bytes);
      }),
    );
  });

  it.each([
    ["AAAAAAAAAAAAAAAAAAAAAA", 0],
    ["AAAAAAAAAAAAAAAAAAAAAQ", 1],
    ["AAAAAAAAAAAAAAAAAAAAAg", 2],
    ["AAAAAAAAAAAAAAAAAAAAAw", 3],
  ])("%s ends with %d: the last character holds two bits", (text, last) => {
    expect(uuidFromText(text)).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last));
  });

  it("with every bit set is of dashes and underscores as a URL may hold them", () => {
    expect(uuidToText(new Uint8Array(16).fill(0xff))).toBe(`${"_".repeat(21)}w`);
    expect(uuidToText(new Uint8Array(16).fill(0xfb))).toBe("-_v7-_v7-_v7-_v7-_v7-w");
  });

  it("reads the first sixteen of more bytes, and nothing of a text that is not just 22 legal characters", () => {
    expect(uuidToText(new Uint8Array(20))).toBe("AAAAAAAAAAAAAAAAAAAAAA");
    for (const text of [
      "A".repeat(21),
      "A".repeat(23),
      ` ${"A".repeat(22)}`,
      `${"A".repeat(22)} `,
      `${"A".repeat(21)}B`,
      `${"A".repeat(20)}+A`,
    ])
      expect(uuidFromText(text), text).toBeNull();
  });
});
