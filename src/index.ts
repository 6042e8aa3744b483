/** Odradek on Node, Bun and Deno: a path is a directory on disk. */
import { stat } from "node:fs/promises";
import { attachPortOn } from "./attach-port.ts";
import { absolutePath } from "./attached/node-socket.ts";
import { systemClock, systemRandom } from "./base/clock.ts";
import { nodeCodecs } from "./compression/node-codecs.ts";
import { publishDiagnostics } from "./engine/node-diagnostics.ts";
import { openOn } from "./open.ts";
import type { AttachPort, Open, ServePort } from "./open-face.ts";
import type { Platform } from "./platform.ts";
import { servePortOn } from "./serve-port.ts";
import { sharingOn } from "./sharing.ts";
import { nodeHolder, nodeStorage } from "./storage/node.ts";

export * from "./entry.ts";
export { nodeStorage } from "./storage/node.ts";

const platform: Platform = {
  clock: systemClock,
  random: systemRandom,
  storageAt: nodeStorage,
  nothingAt,
  holder: nodeHolder,
  publish: publishDiagnostics,
  codecs: nodeCodecs(),
  wasm: undefined,
  sharing: sharingOn(),
};

/** Of what is no directory, or may not be looked at, the storage tells. */
async function nothingAt(path: string | URL): Promise<string | null> {
  const isMissing = await stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
  return isMissing ? absolutePath(path) : null;
}

/** Opens the data directory at a path, or the log that a storage driver holds. See `Open`. */
export const open: Open = openOn(platform);
/** Lets the other end of a message port work with a log. See `ServePort`. */
export const servePort: ServePort = servePortOn(platform);
/** The log that the other end of a message port serves. See `AttachPort`. */
export const attachPort: AttachPort = attachPortOn(platform);
