/**
 * Bundles the libraries that ship inside the package, so that it has no dependency: msgpackr's own modules, patched, and
 * commander for the command line, each with its licence beside it. Written to src/vendor (for the tests, and for the compiler's resolution beside the committed .d.ts) and to
 * dist/vendor (what ships); both are made anew, neither is committed.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { projectRoot } from "./run.mjs";
import { packPatches, unpackPatches } from "./vendor/msgpackr-patches.mjs";

/** As deep as a message may be nested, when written and when read: far above what data has, far below any stack. */
const DEPTH_MAX = 512;
/** Nothing that makes code from strings, and no way to a native addon. */
const FORBIDDEN = [
  /new Function/u,
  /\beval\s*\(/u,
  /\bFunction\s*\(/u,
  /msgpackr-extract/u,
  /\brequire\s*\(/u,
  /import\.meta/u,
  /process\./u,
];

const from = join(projectRoot, "node_modules/msgpackr");
const { version } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
const patches = { "pack.js": packPatches, "unpack.js": unpackPatches };
const banner = `// msgpackr ${version}, https://github.com/kriszyp/msgpackr, changed as scripts/vendor/msgpackr-patches.mjs says; MIT, see msgpackr.LICENSE.
// Made by scripts/build-vendor.mjs.
// biome-ignore-all lint: not written here
// biome-ignore-all format: not written here
// biome-ignore-all assist: not written here`;

const { outputFiles } = await build({
  stdin: { contents: 'export { Packr, RESET_BUFFER_MODE } from "./pack.js";', resolveDir: from },
  bundle: true,
  write: false,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  minify: true,
  define: { DEPTH_MAX: String(DEPTH_MAX) },
  banner: { js: banner },
  logLevel: "error",
  plugins: [{ name: "patches", setup: ({ onLoad }) => onLoad({ filter: /[\\/]msgpackr[\\/](un)?pack\.js$/ }, load) }],
});
const code = outputFiles[0].text;
for (const forbidden of FORBIDDEN) {
  if (forbidden.test(code)) throw new Error(`build-vendor: ${forbidden} is still in the bundle of msgpackr`);
}
for (const folder of ["src/vendor", "dist/vendor"]) {
  mkdirSync(join(projectRoot, folder), { recursive: true });
  writeFileSync(join(projectRoot, folder, "msgpackr.js"), code);
}
copyFileSync(join(from, "LICENSE"), join(projectRoot, "dist/vendor/msgpackr.LICENSE"));
await bundleCommander();

/** The command line's parser, for Node alone: as published, one file. */
async function bundleCommander() {
  const folder = join(projectRoot, "node_modules/commander");
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { outputFiles } = await build({
    stdin: { contents: 'export { Command, CommanderError, InvalidArgumentError, Option } from "commander";', resolveDir: projectRoot },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    charset: "utf8",
    minify: true,
    banner: {
      js: `// commander ${version}, https://github.com/tj/commander.js; MIT, see cli.LICENSE. Made by scripts/build-vendor.mjs.
// biome-ignore-all lint: not written here
// biome-ignore-all format: not written here
// biome-ignore-all assist: not written here
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);`,
    },
    logLevel: "error",
  });
  for (const folder of ["src/vendor", "dist/vendor"]) writeFileSync(join(projectRoot, folder, "cli.js"), outputFiles[0].text);
  copyFileSync(join(folder, "LICENSE"), join(projectRoot, "dist/vendor/cli.LICENSE"));
}

function load({ path }) {
  const name = path.endsWith("unpack.js") ? "unpack.js" : "pack.js";
  let text = readFileSync(path, "utf8").replaceAll("\r\n", "\n");
  for (const patch of patches[name]) text = apply(text, patch, name);
  return { contents: text, loader: "js" };
}

function apply(text, { why, from: begin, to, put, times = 1 }, name) {
  const found = text.split(begin).length - 1;
  if (found !== times) throw new Error(`build-vendor: ${name}: "${why}" matches ${found} times, not ${times}, in msgpackr ${version}`);
  if (to === undefined) return text.replaceAll(begin, () => put);
  const start = text.indexOf(begin);
  const end = text.indexOf(to, start + begin.length);
  if (end === -1) throw new Error(`build-vendor: ${name}: "${why}" has no end in msgpackr ${version}`);
  return text.slice(0, start) + put + text.slice(end);
}
