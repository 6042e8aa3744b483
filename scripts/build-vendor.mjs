/**
 * Bundles the libraries that ship inside the package, so that it has no dependency: msgpackr's own modules and fzstd's, patched, the
 * little of fflate that is used, and commander for the command line, each with its licence beside it. Written to src/vendor (for the tests, and for the compiler's resolution beside the committed .d.ts) and to
 * dist/vendor (what ships); both are made anew, neither is committed.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { projectRoot } from "./run.mjs";
import { fzstdPatches } from "./vendor/fzstd-patches.mjs";
import { packPatches, unpackPatches } from "./vendor/msgpackr-patches.mjs";

/** Beside the sources, for the tests; beside the modules that the bundles are made of; and what ships. */
const folders = ["src/vendor", "build/js/vendor", "dist/vendor"];

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
  logLevel: "error",
  plugins: [{ name: "patches", setup: ({ onLoad }) => onLoad({ filter: /[\\/]msgpackr[\\/](un)?pack\.js$/ }, load) }],
});
const code = madeByCall("msgpackr", outputFiles[0].text, banner);
for (const forbidden of FORBIDDEN) {
  if (forbidden.test(code)) throw new Error(`build-vendor: ${forbidden} is still in the bundle of msgpackr`);
}
for (const folder of folders) {
  mkdirSync(join(projectRoot, folder), { recursive: true });
  writeFileSync(join(projectRoot, folder, "msgpackr.js"), code);
}
copyFileSync(join(from, "LICENSE"), join(projectRoot, "dist/vendor/msgpackr.LICENSE"));
await bundleCodec("fflate", 'export { deflateSync, Inflate } from "fflate";', [], false);
await bundleCodec("fzstd", 'export { rzfh as readFrameHeader, rzb as readBlock } from "fzstd";', fzstdPatches, true);
await bundleCommander();

/** A codec's library, for every runtime: what is exported here and what that needs, no more. */
async function bundleCodec(name, contents, patches, isMadeByCall) {
  const folder = join(projectRoot, "node_modules", name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const patched = ({ path }) => {
    let text = readFileSync(path, "utf8").replaceAll("\r\n", "\n");
    for (const patch of patches) text = apply(text, patch, name, version);
    return { contents: text, loader: "js" };
  };
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: projectRoot },
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    conditions: ["import"],
    target: "es2022",
    charset: "utf8",
    legalComments: "inline",
    minify: true,
    logLevel: "error",
    plugins: [{ name: "patches", setup: ({ onLoad }) => onLoad({ filter: new RegExp(`[\\\\/]${name}[\\\\/]esm[\\\\/]`) }, patched) }],
  });
  const codecBanner = `// ${name} ${version}, https://github.com/101arrowz/${name}${patches.length > 0 ? `, changed as scripts/vendor/${name}-patches.mjs says` : ""}; MIT, see ${name}.LICENSE.
// Made by scripts/build-vendor.mjs.
// biome-ignore-all lint: not written here
// biome-ignore-all format: not written here
// biome-ignore-all assist: not written here`;
  const code = isMadeByCall ? madeByCall(name, outputFiles[0].text, codecBanner) : `${codecBanner}\n${outputFiles[0].text}`;
  for (const forbidden of [...FORBIDDEN, /\bWorker\b/u]) {
    if (forbidden.test(code)) throw new Error(`build-vendor: ${forbidden} is in the bundle of ${name}`);
  }
  for (const folder of folders) writeFileSync(join(projectRoot, folder, `${name}.js`), code);
  copyFileSync(join(folder, "LICENSE"), join(projectRoot, `dist/vendor/${name}.LICENSE`));
}

/**
 * One function that answers all that the library exports: nothing of it runs as the module is loaded, which made up a tenth of
 * the package's import where nobody packed or opened anything.
 */
function madeByCall(name, module, banner) {
  const exported = /export\s*\{([^}]*)\};?\s*$/u.exec(module);
  if (exported === null) throw new Error(`build-vendor: the bundle of ${name} does not end with what it exports`);
  const answer = exported[1].split(",").map((each) => each.trim().split(" as ").reverse().join(":"));
  return `${banner}\nexport function ${name}(){${module.slice(0, exported.index)}return{${answer.join()}}}\n`;
}

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
  for (const folder of folders) writeFileSync(join(projectRoot, folder, "cli.js"), outputFiles[0].text);
  copyFileSync(join(folder, "LICENSE"), join(projectRoot, "dist/vendor/cli.LICENSE"));
}

function load({ path }) {
  const name = path.endsWith("unpack.js") ? "unpack.js" : "pack.js";
  let text = readFileSync(path, "utf8").replaceAll("\r\n", "\n");
  for (const patch of patches[name]) text = apply(text, patch, name, version);
  return { contents: text, loader: "js" };
}

function apply(text, { why, from: begin, to, put, times = 1 }, name, version) {
  const found = text.split(begin).length - 1;
  if (found !== times) throw new Error(`build-vendor: ${name}: "${why}" matches ${found} times, not ${times}, in version ${version}`);
  if (to === undefined) return text.replaceAll(begin, () => put);
  const start = text.indexOf(begin);
  const end = text.indexOf(to, start + begin.length);
  if (end === -1) throw new Error(`build-vendor: ${name}: "${why}" has no end in version ${version}`);
  return text.slice(0, start) + put + text.slice(end);
}
