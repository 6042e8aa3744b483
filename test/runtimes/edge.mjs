/** Runs edge.bundle.js in Vercel's edge runtime with what Vercel forbids forbidden: code from strings, and WebAssembly from bytes. */
import { readFileSync } from "node:fs";
import { EdgeRuntime } from "edge-runtime";

const [bundle, core] = process.argv.slice(2);
const runtime = new EdgeRuntime({
  codeGeneration: { strings: false, wasm: false },
  extend: (context) => Object.assign(context, { odradekCore: new WebAssembly.Module(readFileSync(core)) }),
  initialCode: readFileSync(bundle, "utf8"),
});
const response = await runtime.dispatchFetch("http://127.0.0.1/");
console.log(await response.text());
