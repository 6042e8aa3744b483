/** The suite where nothing is allowed: in memory, no files, no processes, no environment. Prints one line of JSON. */
import { runSuite } from "./isolate.mjs";

console.log(JSON.stringify(await runSuite()));
