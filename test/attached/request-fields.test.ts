/** What a request from outside may be made of: each field by its name, to the last value that passes, wherever in the request it stands. */
import { describe, expect, it } from "vitest";
import { checkRequest } from "../../src/attached/request-fields.ts";

/** Of one argument of this name. */
const told = (name: string, value: unknown): string => {
  try {
    checkRequest("call", [name], [value]);
    return "";
  } catch (error) {
    const { name: kind, code } = error as { readonly name: string; readonly code: string };
    return `${kind} ${code}`;
  }
};
const REFUSED = "UsageError INVALID_REQUEST";
const text = (length: number): string => "x".repeat(length);
const bytes = new Uint8Array(3);

describe("a field", () => {
  it.each([
    ["memberId", ["", text(32_767)], [text(32_768), 7, true, bytes, {}]],
    ["maxWaitMs", [0, -1, 1.5, Number.POSITIVE_INFINITY], [Number.NaN, "1", 1n, true]],
    ["partition", [0, 2 ** 53 - 1], [-1, 1.5, 2 ** 53, Number.NaN, "0"]],
    ["durable", [true, false], [0, 1, "true"]],
    ["batch", [bytes], [[1], "bytes", {}, bytes.buffer]],
    ["producerId", [0, -1, 5n, 2n ** 63n - 1n, -(2n ** 63n)], [2n ** 63n, -(2n ** 63n) - 1n, 1.5, 2 ** 53, "5"]],
    ["members", [[], [7, "text", null]], [{}, "text", 7, bytes]],
    ["request", [{}], [[], bytes, "text", 7]],
    ["acks", [1, "all", [], {}, bytes, true], []],
  ] as const)("%s takes what its name says and nothing else, and may always be left out", (name, fitting, unfitting) => {
    for (const value of [...fitting, null, undefined]) expect(told(name, value), String(value)).toBe("");
    for (const value of unfitting) expect(told(name, value), String(value)).toBe(REFUSED);
  });

  it.each(["unknown", "__proto__", "constructor", "toString", ""])("%j is unknown, wherever it stands and whatever it holds", (name) => {
    const holding = Object.defineProperty({}, name, { value: null, enumerable: true });
    expect(told(name, null)).toBe(REFUSED);
    expect(told("request", holding)).toBe(REFUSED);
    expect(told("topics", [holding])).toBe(REFUSED);
    expect(told("request", { partitions: [{ at: holding }] })).toBe(REFUSED);
    expect(told("options", holding)).toBe(REFUSED);
  });

  it("is looked at within lists and objects, and what is a setting of a topic or a quota is left to those who know them", () => {
    expect(told("request", { partitions: [{ topic: "t", partition: -1 }] })).toBe(REFUSED);
    expect(told("request", { partitions: [{ topic: "t", partition: 0 }, 7, null] })).toBe("");
    for (const name of ["config", "quota"]) expect(told("request", { [name]: { unknown: 1 } }), name).toBe("");
    expect(told("request", { metadata: { unknown: 1 } })).toBe(REFUSED);
    // Bytes have no fields, though they have keys.
    expect(told("request", { metadata: bytes })).toBe("");
  });

  it("may stand as deep as six objects, and no deeper", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : { at: nested(depth - 1) });
    expect([told("request", nested(6)), told("request", nested(7))]).toEqual(["", REFUSED]);
    const listed = (depth: number): unknown => (depth === 0 ? [] : [{ offsets: listed(depth - 1) }]);
    expect([told("offsets", listed(6)), told("offsets", listed(7))]).toEqual(["", REFUSED]);
  });

  it("may be a list of a million", () => {
    expect(told("topics", new Array(1_000_000))).toBe("");
  });

  it("that is a producer's id is a bigint from then on, wherever it stands", () => {
    const request = { producerId: 5, partitions: [{ producerId: -1 }, { producerId: 7n }] };
    const values: unknown[] = [request, 9];
    checkRequest("call", ["request", "producerId"], values);
    expect(values).toEqual([{ producerId: 5n, partitions: [{ producerId: -1n }, { producerId: 7n }] }, 9n]);
  });
});

describe("a call's arguments", () => {
  it("are as many as it takes", () => {
    for (const values of [[], ["t"], ["t", 1, 1]])
      expect(() => checkRequest("createPartitions", ["topic", "totalCount"], values)).toThrow(
        `expected 2 arguments, found ${values.length}`,
      );
    checkRequest("createPartitions", ["topic", "totalCount"], ["t", 1]);
    checkRequest("listGroups", [], []);
  });
});
