/** Odradek on edge functions, which compile no WebAssembly from bytes: the core comes as a module that the bundler has compiled. */
import core from "./core.wasm?module";
import { type Open, openOn } from "./open.ts";
import { portablePlatform } from "./portable.ts";

export * from "./entry.ts";

export const open: Open = openOn(portablePlatform(core));
