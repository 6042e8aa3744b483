/** Both builds of the core, for tests that hold on each. `node scripts/build-core.mjs` makes them. */
import { readFileSync } from "node:fs";
import type { Core } from "../../src/core/core.ts";
import type { CoreExports } from "../../src/core/core-exports.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { webAssembly } from "../../src/core/web-assembly.ts";

export const BUILDS = ["release", "debug"] as const;
export type Build = (typeof BUILDS)[number];

export function binaryOf(build: Build): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../build/core.${build}.wasm`, import.meta.url)));
}

export function coreOf(build: Build): Promise<Core> {
  return loadCore({ wasm: binaryOf(build) });
}

/** The bare exports, initialized: for what no caller in TypeScript can do. */
export async function exportsOf(build: Build): Promise<CoreExports> {
  const api = webAssembly();
  if (api === undefined) throw new Error("no WebAssembly");
  const exports = new api.Instance(await api.compile(binaryOf(build)), {}).exports as CoreExports;
  exports.initialize();
  return exports;
}
