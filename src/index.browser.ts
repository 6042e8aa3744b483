/** Odradek in a browser, and wherever nothing else is known: storage is given, the core comes inline. */
import { openOn } from "./open.ts";
import type { AttachPort, Open, ServePort } from "./open-face.ts";
import { portablePlatform } from "./portable.ts";
import { attachPortOn, servePortOn } from "./ports.ts";

export * from "./entry.ts";

const platform = /* @__PURE__ */ portablePlatform(undefined);

export const open: Open = openOn(platform);
export const servePort: ServePort = /* @__PURE__ */ servePortOn(platform);
export const attachPort: AttachPort = /* @__PURE__ */ attachPortOn(platform);
