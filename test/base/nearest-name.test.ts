import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/base/nearest-name.ts";

const NAMES = ["orders", "orders-eu", "clicks", "payments", "retentionMs", "retentionBytes", "t1"];

describe("the nearest name", () => {
  it("is the one that was meant: a slip of a letter, of case, of punctuation", () => {
    for (const [typed, meant] of [
      ["order", "orders"],
      ["Orders", "orders"],
      ["ordres", "orders"],
      ["orders.eu", "orders-eu"],
      ["clikcs", "clicks"],
      ["paymets", "payments"],
      ["retention.ms", "retentionMs"],
      ["RETENTION_BYTES", "retentionBytes"],
      ["T1", "t1"],
    ] as const)
      expect(nearestName(typed, NAMES), typed).toBe(meant);
  });

  it("is none when nothing is near", () => {
    for (const typed of ["", "-", "x", "t2", "invoices", "or", "ordersordersorders"]) expect(nearestName(typed, NAMES), typed).toBeNull();
    expect(nearestName("orders", [])).toBeNull();
  });

  it("is a candidate or null, itself where it stands among them, and never slow", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string(), { maxLength: 8 }), (name, candidates) => {
        const near = nearestName(name, candidates);
        if (near !== null) expect(candidates).toContain(near);
        if (/[a-z0-9]/.test(name)) expect(nearestName(name, [name, ...candidates])).toBe(name);
      }),
    );
    expect(
      nearestName(
        "x".repeat(1_000_000),
        Array.from({ length: 20_000 }, (_, index) => `x${index}`),
      ),
    ).toBeNull();
  });
});
