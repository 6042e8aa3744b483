import { describe, expect, it } from "vitest";
import { handOverOwn, isOwnBatch } from "../../src/base/own-batch.ts";

describe("a batch handed over by its own writer", () => {
  it("is believed only while it is handed over, and only as the very view", () => {
    const batch = new Uint8Array(8);
    expect(isOwnBatch(batch)).toBe(false);
    const seen = handOverOwn(batch, () => [isOwnBatch(batch), isOwnBatch(batch.subarray(0)), isOwnBatch(new Uint8Array(8))]);
    expect(seen).toEqual([true, false, false]);
    expect(isOwnBatch(batch)).toBe(false);
  });

  it("is forgotten when the call throws, and stands again when another was handed over within it", () => {
    const [outer, inner] = [new Uint8Array(1), new Uint8Array(1)];
    handOverOwn(outer, () => {
      expect(() =>
        handOverOwn(inner, () => {
          expect(isOwnBatch(outer)).toBe(false);
          throw new Error("no");
        }),
      ).toThrow("no");
      expect(isOwnBatch(inner)).toBe(false);
      expect(isOwnBatch(outer)).toBe(true);
    });
    expect(isOwnBatch(outer)).toBe(false);
  });
});
