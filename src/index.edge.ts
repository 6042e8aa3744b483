/** Odradek on edge functions, which compile no WebAssembly from bytes: the core comes as a module that the bundler has compiled. */
import core from "./core.wasm?module";
import { type Open, openOn } from "./open.ts";
import { portablePlatform } from "./portable.ts";
import { type AttachPort, attachPortOn, type ServePort, servePortOn } from "./ports.ts";

export * from "./entry.ts";

const platform = /* @__PURE__ */ portablePlatform(core);

export const open: Open = openOn(platform);
export const servePort: ServePort = /* @__PURE__ */ servePortOn(platform);
export const attachPort: AttachPort = /* @__PURE__ */ attachPortOn(platform);
