/**
 * The layers of src, as data: docs/ARCHITECTURE.md draws them, `npm run check` holds the code to them.
 * A file imports its own folder or one of a lower line. Folders on one line do not see each other.
 */

/** Top line first. `index` stands for the files of src itself, `cli` for src/cli/ and src/cli.ts. */
export const layers = [
  ["cli"],
  ["index"],
  ["producer", "consumer", "table"],
  ["engine", "attached"],
  ["group", "transaction", "quota"],
  ["topic"],
  ["log"],
  ["compression"],
  ["core", "storage"],
  ["base"],
  ["api"],
  // Other people's code, bundled: see scripts/build-vendor.mjs.
  ["vendor"],
];

/** Folders that see less than all below them, and why. */
export const narrowed = {
  api: [],
  // The broker port (api/broker.ts) is their only way down: that is what lets the same code run on another broker.
  producer: ["compression", "core", "base", "api"],
  consumer: ["compression", "core", "base", "api"],
  table: ["compression", "core", "base", "api"],
  // Drivers for tests of other people's drivers: they must hold without a log above them. Nothing of ours imports them.
  testing: ["storage", "base", "api"],
  // A broker port over another one, wherever that is.
  attached: ["storage", "base", "api"],
  // Pure state machines, on plain data and bytes.
  group: ["topic", "log", "core", "base", "api"],
  transaction: ["topic", "log", "core", "base", "api"],
  quota: ["base", "api"],
};

/** The rooms of src/log, as the lines above: top line first, and a room imports itself or one of a lower line. */
export const logRooms = [
  // The partition's log itself: the files of src/log.
  ["log"],
  ["compaction", "survey"],
  ["upkeep"],
  ["read"],
  ["append"],
  ["opening"],
  ["producers"],
  ["seal"],
  ["segment"],
  ["batch", "books", "index", "state"],
  ["context"],
  ["files"],
];

/** Folders outside the lines: they see what `narrowed` says, and no file of src sees them. */
export const outside = ["testing"];

/** Files that may import `node:*`. The other runtimes' entries must not reach any of them. */
export const nodeFiles = [
  "^src/storage/node[^/]*\\.ts$",
  "^src/attached/node-[^/]*\\.ts$",
  "^src/core/loader-node\\.ts$",
  "^src/compression/node[^/]*\\.ts$",
  "^src/engine/node-diagnostics\\.ts$",
  "^src/cli\\.ts$",
  "^src/cli/",
  "^src/vendor/cli\\.js$",
  "^src/index\\.ts$",
];

/** Entries that run without Node. */
export const portableEntries = [
  "^src/index\\.(browser|workerd|edge)\\.ts$",
  "^src/(opfs|durable-object)\\.ts$",
  "^src/testing/index\\.ts$",
];

/** Other people's code, bundled by scripts/build-vendor.mjs, and the only files that may use each. No package is imported by name. */
export const vendored = [
  { file: "cli", from: "^src/cli(/|\\.ts$)" },
  { file: "fflate", from: "^src/compression/portable-" },
  { file: "fzstd", from: "^src/compression/" },
  { file: "msgpackr", from: "^src/base/" },
];

/** The folder of src that a path belongs to, as the lines above call it. */
export function folderOf(path) {
  const inside = path.replace(/^src\//, "");
  if (inside.includes("/")) return inside.slice(0, inside.indexOf("/"));
  return inside === "cli.ts" ? "cli" : "index";
}

/** A regular expression for the files of these folders. */
export function filesOf(folders) {
  const patterns = folders.map((name) => (name === "index" ? "(?!cli\\.)[^/]+$" : `${name}[./]`));
  return `^src/(${patterns.join("|")})`;
}

/** The room of src/log that a path belongs to; null for a file elsewhere. */
export function roomOf(path) {
  const inside = /^src\/log\/(?:([^/]+)\/)?[^/]+$/.exec(path);
  return inside === null ? null : (inside[1] ?? "log");
}

/** A regular expression for the files of these rooms of src/log. */
export function filesOfRooms(rooms) {
  return `^src/log/(${rooms.map((room) => (room === "log" ? "[^/]+$" : `${room}/`)).join("|")})`;
}

/** What a folder may import beside itself. Throws for a folder that no line names. */
export function lowerThan(folder) {
  if (narrowed[folder]) return narrowed[folder];
  const line = layers.findIndex((names) => names.includes(folder));
  if (line === -1) throw new Error(`no line of scripts/layers.mjs names the folder "${folder}" of src`);
  return layers.slice(line + 1).flat();
}
