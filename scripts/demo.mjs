/** `npm run demo`: builds, then runs examples/demo.mjs with the arguments given. */
import { runNode } from "./run.mjs";

const build = await runNode("scripts/build.mjs", [], { inherit: true });
if (build.code !== 0) process.exit(build.code);
const { code } = await runNode("examples/demo.mjs", process.argv.slice(2), { inherit: true });
process.exit(code);
