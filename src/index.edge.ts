/** Odradek on edge functions, which compile no WebAssembly from bytes: the core comes as a module that the bundler has compiled. */

import { attachPortOn } from "./attach-port.ts";
import core from "./core.wasm?module";
import { openOn } from "./open.ts";
import type { AttachPort, Open, ServePort } from "./open-face.ts";
import { portablePlatform } from "./portable.ts";
import { servePortOn } from "./serve-port.ts";

export * from "./entry.ts";

const platform = /* @__PURE__ */ portablePlatform(core);

export const open: Open = /* @__PURE__ */ openOn(platform);
export const servePort: ServePort = /* @__PURE__ */ servePortOn(platform);
export const attachPort: AttachPort = /* @__PURE__ */ attachPortOn(platform);
