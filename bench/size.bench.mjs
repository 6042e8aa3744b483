/**
 * How many bytes are the core, what a page loads first and the whole library in one file (gzipped), and what npm installs? No raw loop
 * stands beside them: the core's limit is its checksum alone, 2 KiB, and the whole library's is what no part of it can do without.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { modulesSize } from "../scripts/bench/modules-size.mjs";
import { browserSizes } from "../scripts/browser-sizes.mjs";
import { run } from "../scripts/run.mjs";
import { placesRoot } from "./harness/places.mjs";
import { report } from "./harness/race.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const KIB = 1024;
const tell = (name, byteLength, budgetKiB) =>
  report({ name, value: byteLength / KIB, unit: "KiB", rounds: 1, budget: { atMost: budgetKiB } });

tell("the core", readFileSync(new URL("../dist/core.wasm", import.meta.url)).byteLength, 32);

mkdirSync(placesRoot, { recursive: true });
const { first, whole } = await browserSizes(root, "odradek");
tell("a page's first bundle, gzipped", first, 60);
tell("bundle for browsers, gzipped", whole, 60);
const partition = ["core/load-core", "log/opening/open-log", "log/partition-log"];
report({
  name: "bundle for browsers, gzipped: a partition's log",
  value: (await modulesSize(join(root, "build/js"), partition)) / KIB,
  unit: "KiB",
  rounds: 1,
  limitOf: "bundle for browsers, gzipped",
  isPart: true,
  does: "the core, and what opens, reads and writes the log of one partition; no producer, consumer, group, transaction or topic",
});

const { code, output } = await run("npm", ["pack", "--json", "--dry-run", "--ignore-scripts"], { cwd: root });
if (code !== 0) throw new Error(output);
const [packed] = JSON.parse(output.slice(output.indexOf("[\n"), output.lastIndexOf("]") + 1));
tell("installed package", packed.unpackedSize, 1024);
