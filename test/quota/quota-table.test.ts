import { describe, expect, it } from "vitest";
import { changedQuotas, checkQuotaChange, QuotaTable } from "../../src/quota/quota-table.ts";

describe("a client's limit", () => {
  const table = new QuotaTable([
    { clientId: null, quota: { producerByteRate: 10, consumerByteRate: 20 } },
    { clientId: "own", quota: { producerByteRate: 1 } },
    { clientId: "__proto__", quota: { requestPercentage: 5 } },
  ]);

  it("is its own, else the default's, else none, for each quota by itself", () => {
    expect(table.limit("own", "producerByteRate")).toBe(1);
    expect(table.limit("own", "consumerByteRate")).toBe(20);
    expect(table.limit("own", "requestPercentage")).toBe(Number.POSITIVE_INFINITY);
    expect(table.limit("other", "producerByteRate")).toBe(10);
    expect(table.limit("", "producerByteRate")).toBe(10);
    expect(table.limit("__proto__", "requestPercentage")).toBe(5);
    expect(table.limit("constructor", "requestPercentage")).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a change of quotas", () => {
  it("touches the quotas it names, and takes a client out that has none left", () => {
    const first = changedQuotas([], "a", { producerByteRate: 5, requestPercentage: 1 });
    expect(first).toEqual([{ clientId: "a", quota: { producerByteRate: 5, requestPercentage: 1 } }]);
    const second = changedQuotas(first, "a", { producerByteRate: null, consumerByteRate: 7 });
    expect(second).toEqual([{ clientId: "a", quota: { consumerByteRate: 7, requestPercentage: 1 } }]);
    expect(changedQuotas(second, "a", { consumerByteRate: null, requestPercentage: null })).toEqual([]);
    expect(changedQuotas(second, null, {})).toEqual(second);
  });

  it.each([
    ["", {}],
    ["x".repeat(250), {}],
    [7, {}],
    [undefined, {}], // biome-ignore format: pairs
    ["a", { producerByteRate: 0 }],
    ["a", { producerByteRate: -1 }],
    ["a", { producerByteRate: Number.NaN }], // biome-ignore format: pairs
    ["a", { producerByteRate: Number.POSITIVE_INFINITY }],
    ["a", { producerByteRate: "5" }], // biome-ignore format: pairs
    ["a", null],
    ["a", []],
    ["a", 5],
    ["a", undefined], // biome-ignore format: pairs
  ])("is refused for client %j and %j", (clientId, quota) => {
    expect(() => checkQuotaChange(clientId, quota)).toThrow(expect.objectContaining({ name: "UsageError", code: "INVALID_ARGUMENT" }));
  });

  it("names the nearest quota for one that is none", () => {
    expect(() => checkQuotaChange("a", { producer_byte_rate: 5 })).toThrow(/did you mean producerByteRate/);
    expect(() => checkQuotaChange("a", { consumerByteRates: 5 })).toThrow(expect.objectContaining({ code: "UNKNOWN_CONFIG" }));
  });
});
