/** The prover of errors sees what a disk that hangs must not bring about. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import type { Tally } from "../prover.ts";
import { hungDays } from "./hung-days.ts";

const DAYS = 30;
const days = (seed: number): Promise<Tally> => hungDays({ seed, directory: () => "", say: () => {} }, DAYS);

/** What is told of an engine one of whose calls is another meanwhile. */
async function told<Name extends "read" | "close" | "flushed">(
  name: Name,
  by: (real: PartitionLog[Name]) => (this: PartitionLog, ...args: Parameters<PartitionLog[Name]>) => ReturnType<PartitionLog[Name]>,
): Promise<string> {
  const real = PartitionLog.prototype[name];
  PartitionLog.prototype[name] = by(real) as PartitionLog[Name];
  try {
    return (await days(1)).failures.map(({ what }) => what).join("\n");
  } finally {
    PartitionLog.prototype[name] = real;
  }
}

describe("a disk that hangs", () => {
  it("takes nothing that was promised, and the same days come of the same seed", async () => {
    const [first, again] = [await days(2), await days(2)];
    expect(first.failures).toEqual([]);
    expect(first.counts.injectedErrors).toBeGreaterThan(DAYS / 2);
    expect(again).toEqual(first);
  });

  it("shows readers that wait for a flush", async () => {
    const found = await told(
      "read",
      (real) =>
        async function (...args) {
          await this.flush().catch(() => {});
          return await real.apply(this, args);
        },
    );
    expect(found).toContain("a read beside a disk that hangs hangs");
  });

  it("shows acknowledgements that did not wait for one", async () => {
    expect(await told("flushed", () => async () => "power")).toMatch(/C1/);
  });

  it("shows a close that never ends", async () => {
    expect(await told("close", () => () => new Promise(() => {}))).toContain("a close that was asked for while the disk hung hangs");
  });
});
