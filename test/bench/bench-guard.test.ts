/** A guard that cannot turn red guards nothing: a package whose every write takes fifteen milliseconds more is made, and must be named. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type PluginBuild } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { runNode } from "../../scripts/run.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
const folder = mkdtempSync(join(root, "build/slowed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GUARD = "bulk append, 1 KiB";
const guard = (file: string) => runNode("scripts/bench-guard.mjs", [GUARD, "--package", file], { cwd: root });
const FENCED_FILE = join(root, "src/storage/fenced-file.ts");
/** How every write of the log begins. */
const WRITE = '    this.#admitChange("write");\n';
const SLOWER = "    for (const until = performance.now() + 15; performance.now() < until; );\n";

/** The package bundled into one file from its sources, with this text in the place of the fenced file's. */
async function bundled(name: string, fencedFile: string): Promise<string> {
  const outfile = join(folder, name);
  const planted = {
    name: "planted",
    setup: ({ onLoad }: PluginBuild): void =>
      onLoad({ filter: /fenced-file\.ts$/ }, () => ({ contents: fencedFile, loader: "ts" as const, resolveDir: dirname(FENCED_FILE) })),
  };
  await build({ entryPoints: [join(root, "src/index.ts")], bundle: true, platform: "node", format: "esm", outfile, plugins: [planted] });
  return outfile;
}

it("is red for a package that writes slowly, by the name of what became slow, and green for the same package without it", {
  timeout: 120_000,
}, async () => {
  const text = readFileSync(FENCED_FILE, "utf8");
  expect(text.split(WRITE)).toHaveLength(2);
  const good = await guard(await bundled("good.mjs", text));
  expect(good.code, good.output).toBe(0);
  const slowed = await guard(await bundled("slowed.mjs", text.replace(WRITE, WRITE + SLOWER)));
  expect(slowed.output).toMatch(/^RED {2}bulk append, 1 KiB .*\nbench-guard: slower than its floor: bulk append, 1 KiB/m);
  expect(slowed.code).toBe(1);
});

it("refuses a name that it does not know: nothing asked is nothing guarded", async () => {
  const { code, output } = await runNode("scripts/bench-guard.mjs", ["no such guard"], { cwd: root });
  expect(code).toBe(2);
  expect(output).toContain("no such guard");
});
