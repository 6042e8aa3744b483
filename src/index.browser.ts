/** Odradek in a browser, and wherever nothing else is known: storage is given, the core comes inline. */
import { type Open, openOn } from "./open.ts";
import { portablePlatform } from "./portable.ts";
import { type AttachPort, attachPortOn, type ServePort, servePortOn } from "./ports.ts";

export * from "./entry.ts";

const platform = /* @__PURE__ */ portablePlatform(undefined);

export const open: Open = openOn(platform);
export const servePort: ServePort = /* @__PURE__ */ servePortOn(platform);
export const attachPort: AttachPort = /* @__PURE__ */ attachPortOn(platform);
