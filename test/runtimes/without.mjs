/** Where the runtime has no WebAssembly (`node --jitless`): one sentence that says what to do. One line of JSON. */
import { memory, open } from "odradek";

const failed = [];
let passed = 0;
const name = "without WebAssembly a log is refused, with what to do";
try {
  if (globalThis.WebAssembly !== undefined) throw new Error("there is WebAssembly here");
  await open({ storage: memory() });
  failed.push({ name, problem: "it was not refused" });
} catch (error) {
  if (error.code === "CORE_UNAVAILABLE" && /no WebAssembly.*--jitless/.test(error.message)) passed += 1;
  else failed.push({ name, problem: error.stack });
}
console.log(JSON.stringify({ passed, failed }));
