/** Odradek on workerd, which compiles no WebAssembly from bytes: the core comes as a module that the runtime has compiled. */
import core from "./core.wasm";
import { type Open, openOn } from "./open.ts";
import { portablePlatform } from "./portable.ts";

export * from "./entry.ts";

export const open: Open = openOn(portablePlatform(core));
