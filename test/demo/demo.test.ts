/** The demo, killed half-way with SIGKILL as often as chance will have it, ends with the same result as one that nobody touched. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const build = join(root, "build");
mkdirSync(build, { recursive: true });
const workplace = mkdtempSync(join(build, "demo-"));
afterAll(() => rmSync(workplace, { recursive: true, force: true }));

interface Outcome {
  readonly killed: boolean;
  readonly output: string;
}

/** Runs the demo on real input; with `killAfterMs` it is killed then, unless it has ended. */
function runDemo(directory: string, killAfterMs: number | null): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // 10,000 records a second: two seconds to be killed in.
    const args = ["examples/demo.mjs", "--dir", directory, "--rate", "10000"];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (piece: Buffer) => (output += piece.toString()));
    child.stderr.on("data", (piece: Buffer) => (output += piece.toString()));
    const timer = killAfterMs === null ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      clearTimeout(timer);
      resolve({ killed: signal === "SIGKILL", output });
    });
  });
}

const hashOf = (output: string): string | undefined => /^result sha256 ([0-9a-f]{64})$/m.exec(output)?.[1];

describe("the demo", () => {
  it("gives the same result when it is killed half-way and run again", { timeout: 180_000 }, async () => {
    const untouched = await runDemo(join(workplace, "untouched"), null);
    expect(hashOf(untouched.output), untouched.output).toBeDefined();

    const directory = join(workplace, "killed");
    const kills: number[] = [];
    let last: Outcome = { killed: true, output: "" };
    for (let run = 0; run < 12 && last.killed; run += 1) {
      // Later runs live longer, so that it ends at last.
      const killAfterMs = 300 + Math.random() * 900 + run * 150;
      last = await runDemo(directory, run < 8 ? killAfterMs : null);
      if (last.killed) kills.push(Math.round(killAfterMs));
    }
    expect(kills.length, "no run was killed half-way: the test saw nothing").toBeGreaterThan(0);
    expect(hashOf(last.output), `killed after ${kills.join(", ")} ms\n${last.output}`).toBe(hashOf(untouched.output));
    expect(readFileSync(join(directory, "result.csv"), "utf8")).toBe(readFileSync(join(workplace, "untouched", "result.csv"), "utf8"));
  });
});
