/** The example runs, and says what it should. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("examples/compacted-table.mjs", () => {
  it("shows a table that is the same after compaction and a restart", { timeout: 60_000 }, async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ["examples/compacted-table.mjs"], { cwd: root });
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual([
      "anvils left: 5",
      "easels: undefined",
      "1001 changes; at last: easel is no longer sold",
      "compaction gave back space",
      "anvil 5 (day 200)",
      "bellows 1 (day 200)",
      "chisel 14 (day 200)",
      "drill 10 (day 200)",
    ]);
  });
});
