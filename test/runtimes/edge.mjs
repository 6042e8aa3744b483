/**
 * Runs the bundles in Vercel's edge runtime with what Vercel forbids forbidden: code from strings, and WebAssembly from bytes. The first has the core as a
 * module, the second, made as for a browser, has its bytes alone. `edge.mjs SUITE BYTES CORE`. One line of JSON.
 */
import { readFileSync } from "node:fs";
import { EdgeRuntime } from "edge-runtime";

const [suite, bytesAlone, core] = process.argv.slice(2);
const outcome = JSON.parse(await answerOf(suite));
const said = await answerOf(bytesAlone);
if (/^CORE_UNAVAILABLE.*Vercel Edge.*odradek\/core\.wasm as a module/.test(said)) outcome.passed += 1;
else
  outcome.failed.push({
    name: "bytes of the core, which are not compiled here, are told to come as a module",
    problem: `it was told: ${said}`,
  });
console.log(JSON.stringify(outcome));

async function answerOf(bundle) {
  const runtime = new EdgeRuntime({
    codeGeneration: { strings: false, wasm: false },
    extend: (context) => Object.assign(context, { odradekCore: new WebAssembly.Module(readFileSync(core)) }),
    initialCode: readFileSync(bundle, "utf8"),
  });
  const response = await runtime.dispatchFetch("http://127.0.0.1/");
  return response.text();
}
