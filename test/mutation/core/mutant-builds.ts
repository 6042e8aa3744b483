/** Stands in the place of test/core/builds.ts: the one build there is, is the mutant. */
import type { Core } from "../../../src/core/core.ts";
import type { CoreExports } from "../../../src/core/core-exports.ts";
import { loadCore } from "../../../src/core/load-core.ts";
import { webAssembly } from "../../../src/core/web-assembly.ts";

// The figures that test/core takes for the release build.
export const BUILDS = ["release"] as const;

let binary: Uint8Array<ArrayBuffer> = new Uint8Array(0);
let module: Promise<object> | undefined;

export function setBinary(bytes: Uint8Array<ArrayBuffer>): void {
  binary = bytes;
  module = undefined;
}

export function binaryOf(): Uint8Array<ArrayBuffer> {
  return binary;
}

const compiled = (): Promise<object> => {
  const api = webAssembly();
  if (api === undefined) throw new Error("no WebAssembly");
  module ??= api.compile(binary);
  return module;
};

export async function coreOf(): Promise<Core> {
  return loadCore({ wasm: await compiled() });
}

export async function exportsOf(): Promise<CoreExports> {
  const api = webAssembly();
  if (api === undefined) throw new Error("no WebAssembly");
  const exports = new api.Instance((await compiled()) as Awaited<ReturnType<typeof api.compile>>, {}).exports as CoreExports;
  exports.initialize();
  return exports;
}
