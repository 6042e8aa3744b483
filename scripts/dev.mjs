/** `npm run dev`: vitest watches the sources; a change under assembly/ builds the core again, which vitest then sees. */
import { watch } from "node:fs";
import { join } from "node:path";
import { projectRoot, runNode } from "./run.mjs";

const first = await runNode("scripts/build.mjs", ["--quick"], { inherit: true });
if (first.code !== 0) process.exit(first.code);

let building = false;
let changedMeanwhile = false;

async function rebuildCore() {
  if (building) {
    changedMeanwhile = true;
    return;
  }
  building = true;
  do {
    changedMeanwhile = false;
    const { code, output } = await runNode("scripts/build-core.mjs");
    process.stdout.write(code === 0 ? "dev: core built\n" : `${output}\ndev: the core does not build\n`);
  } while (changedMeanwhile);
  building = false;
}

watch(join(projectRoot, "assembly"), { recursive: true }, () => void rebuildCore());

const { code } = await runNode("node_modules/vitest/vitest.mjs", ["watch", ...process.argv.slice(2)], {
  inherit: true,
  // By the configuration, since vitest's own --exclude does not reach its projects.
  env: { ODRADEK_TESTS_WITHOUT: "test/checks/**" },
});
process.exit(code);
