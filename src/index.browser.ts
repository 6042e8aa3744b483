/**
 * Odradek in a browser, and wherever nothing else is known: storage is given, the core comes inline. What opens a log is loaded as it is
 * called; once there is a log, nothing is loaded any more (docs/decisions/0012-first-bundle.md).
 */
import type { OpenOptions } from "./api/odradek.ts";
import { systemClock } from "./base/clock.ts";
import { noFiles } from "./no-files.ts";
import type { AttachPort, Open, ServePort } from "./open-face.ts";
import { servePortOn } from "./serve-port.ts";

export * from "./entry.ts";

export const open: Open = async (first: string | URL | OpenOptions, second?: OpenOptions) => {
  const { openPortable } = await import("./open-portable.ts");
  // Which of its two forms this is, it finds out itself.
  return openPortable(first as string, second);
};

export const attachPort: AttachPort = async (port, options) => {
  const { attachPortable } = await import("./attach-portable.ts");
  return attachPortable(port, options);
};

export const servePort: ServePort = /* @__PURE__ */ servePortOn({ clock: systemClock, storageAt: noFiles });
