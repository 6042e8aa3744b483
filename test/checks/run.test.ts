/** A program that takes too long is given up, with all that it has started: browsers and servers of a suite would stay, and hold its pipes. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { descendantsOf } from "../../scripts/descendants.mjs";
import { run } from "../../scripts/run.mjs";

function isAlive(pid: number): boolean {
  try {
    // One that nobody has asked after yet is dead all the same.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.startsWith("Z") === false;
  } catch {
    return false;
  }
}

it("a program that takes too long is ended with its child, and with its child's", async () => {
  // Each tells its id, keeps the pipe, and would stay for a minute.
  const { code, output } = await run("sh", ["-c", "echo $$; sh -c 'echo $$; sleep 60 & echo $!; wait' & wait"], { timeoutMs: 500 });
  const ids = output.match(/^\d+$/gm)?.map(Number) ?? [];
  expect(ids.length).toBe(3);
  await expect.poll(() => ids.filter(isAlive)).toEqual([]);
  expect(code).not.toBe(0);
});

it("a program that does not heed the signal it is asked by is ended by another", { timeout: 20_000 }, async () => {
  const { output } = await run("sh", ["-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done"], {
    timeoutMs: 200,
    timeoutSignal: "SIGTERM",
  });
  expect(isAlive(Number(output.split("\n")[0]))).toBe(false);
});

it("who has started nothing has no descendants", async () => {
  const { output } = await run(process.execPath, ["-e", "console.log(process.pid)"]);
  expect(descendantsOf(Number(output))).toEqual([]);
});
