/** Odradek on Node, Bun and Deno: a path is a directory on disk. */
import { systemClock, systemRandom } from "./base/clock.ts";
import { nodeCodecs } from "./compression/node-codecs.ts";
import { publishDiagnostics } from "./engine/node-diagnostics.ts";
import { type Open, openOn } from "./open.ts";
import { nodeHolder, nodeStorage } from "./storage/node.ts";

export * from "./entry.ts";
export { nodeStorage } from "./storage/node.ts";

export const open: Open = openOn({
  clock: systemClock,
  random: systemRandom,
  storageAt: nodeStorage,
  holder: nodeHolder,
  publish: publishDiagnostics,
  codecs: nodeCodecs(),
  wasm: undefined,
});
