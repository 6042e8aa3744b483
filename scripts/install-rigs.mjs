/** Installs what the suites of the packed package stand on, so that none of them waits for a registry: beside `npm test` it costs nothing. */
import { join } from "node:path";
import { installChromium, installPackages, runtimesRig } from "./rigs.mjs";
import { projectRoot } from "./run.mjs";
import { checkFlags } from "./usage.mjs";

checkFlags(import.meta.url, []);
const installed = [];
for (const folder of [runtimesRig, join(projectRoot, "test/package")]) installed.push(await installPackages(folder));
await installChromium();
// What could not be had each suite tries again, and says itself.
process.exitCode = installed.includes(false) ? 3 : 0;
