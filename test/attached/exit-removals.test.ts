/**
 * A process that ended without `close()` left its socket's directory in the system's temporary one until the next owner of that very data
 * directory came, which for a directory that was thrown away meant for good: hundreds were found on one machine.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../scripts/run.mjs";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "exit-"));
  const entry = fileURLToPath(new URL("../../src/attached/node-socket.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: join(folder, "socket.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const listen = `
  import { readdirSync } from "node:fs";
  import { listenAt } from "./socket.mjs";
  const sockets = () => readdirSync(process.env.TMPDIR).filter((name) => name.startsWith("odradek-attach-")).length;
  const listenersBefore = process.listenerCount("exit");
  const listening = () => process.listenerCount("exit") - listenersBefore;
  const stops = [await listenAt(process.env.TMPDIR, () => {}), await listenAt(process.env.TMPDIR, () => {})];
  console.log(sockets(), listening());`;

async function leaves(end: string): Promise<{ printed: readonly string[]; left: readonly string[] }> {
  const temporary = mkdtempSync(join(tmpdir(), "exit-"));
  try {
    const options = { cwd: folder, timeoutMs: 20_000, env: { TMPDIR: temporary, NODE_OPTIONS: "" } };
    const { output } = await run(process.execPath, ["--input-type=module", "-e", listen + end], options);
    return { printed: output.trim().split("\n"), left: readdirSync(temporary).filter((name) => name.startsWith("odradek-attach-")) };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

it.each([
  ["comes to its end", ""],
  ["is ended by process.exit", "process.exit(3);"],
  ["throws", 'throw new Error("nobody catches it");'],
])("a process that %s takes its sockets' directories along", async (_, end) => {
  // The second owner of one directory has removed what the first left, as it was told that the lock is its own.
  const { printed, left } = await leaves(end);
  expect([printed[0], left]).toEqual(["1 1", []]);
});

it("listens for the end of the process only while there is something to remove", async () => {
  const { printed } = await leaves("for (const stop of stops) await stop(); console.log(listening());");
  expect(printed).toEqual(["1 1", "0"]);
});
