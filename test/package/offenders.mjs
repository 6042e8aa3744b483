/** Packages that are wrong in one way each, made of the real one: a check that does not see its own is no check. */
import { join } from "node:path";
import { bundles } from "./bundlers.mjs";
import { evaluate } from "./pages.mjs";
import { nodes, programProblem } from "./programs.mjs";
import { compilers, settings, typesProblem } from "./types.mjs";

const dist = "node_modules/odradek/dist";
const bundle = (name) => bundles.find((each) => each.name === name);
const before = (line) => (text) => `${line}\n${text}`;
const page =
  (name) =>
  async (folder, { pages, missing }) => {
    await bundle(name).page(folder, "out");
    return missing === null ? pages.problemOf(join(folder, "out")) : evaluate(join(folder, "out"));
  };
const program = (name) => async (folder) => programProblem(join(folder, await bundle(name).program(folder, "out")), join(folder, "data"));
const required = (index, msMax) => (folder) => {
  const { program: node, flags } = nodes[index];
  return programProblem("required.cjs", join(folder, "data"), { node, flags, cwd: folder, msMax });
};
const types = (compiler, setting) => (folder) => typesProblem(folder, compilers[compiler], settings[setting]);

/** `files`: what is changed, and how; `judge`: the check, answering what it says; `sees`: what that must be. */
export const offenders = [
  {
    name: "a browser's entry that needs Node, by esbuild",
    files: { [`${dist}/index.browser.js`]: before('import "node:fs";') },
    judge: page("esbuild"),
    sees: /Could not resolve "node:fs"/,
  },
  {
    name: "a browser's entry that makes code from strings, by vite and the page's policy",
    files: { [`${dist}/index.browser.js`]: before('globalThis.made = new Function("return 1");') },
    judge: async (folder, { pages, missing }) => (missing === null ? page("vite")(folder, { pages, missing }) : undefined),
    sees: /unsafe-eval/,
  },
  {
    name: "a page that gets another answer",
    files: { "story.mjs": (text) => text.replace('"second"', '"third"') },
    judge: page("esbuild"),
    sees: /expected .*"newest":"second".*\nfound .*"newest":"third"/,
  },
  {
    name: "an entry that names a file which is not there, by webpack",
    files: { [`${dist}/index.js`]: before('import "./gone.js";') },
    judge: program("webpack"),
    sees: /Can't resolve '\.\/gone\.js'/,
  },
  {
    name: "a file that is looked for beside the bundle",
    files: {
      [`${dist}/index.js`]: before('import { readFileSync } from "node:fs";\nreadFileSync(new URL("./core.wasm", import.meta.url));'),
    },
    judge: program("rollup, the package's own files named"),
    sees: /ENOENT/,
  },
  {
    name: "await at the top, by require()",
    files: { [`${dist}/index.js`]: before("await null;") },
    judge: required(0),
    sees: /ERR_REQUIRE_ASYNC_MODULE/,
  },
  {
    name: "an import that prints",
    files: { [`${dist}/opfs.js`]: before('console.log("here");') },
    judge: required(1),
    sees: /found "here/,
  },
  {
    name: "a deprecated call",
    files: { [`${dist}/index.js`]: before('process.emitWarning("old", "DeprecationWarning", "DEP0005");') },
    judge: required(2),
    sees: /DEP0005|DeprecationWarning: old/,
  },
  {
    name: "a timer that keeps the process",
    files: { [`${dist}/index.js`]: before("setInterval(() => {}, 1000);") },
    judge: required(2, 3000),
    sees: /did not end within 3 s/,
  },
  {
    name: "a declaration that leans on the DOM",
    files: { [`${dist}/index.d.ts`]: before("export declare const port: MessageChannel & Element;") },
    judge: types(3, 3),
    sees: /Cannot find name 'Element'/,
  },
  {
    name: "a declaration that leans on Node",
    files: { [`${dist}/index.d.ts`]: before("export declare const bytes: Buffer;") },
    judge: types(3, 0),
    sees: /Cannot find name 'Buffer'/,
  },
  {
    name: "a declaration that TypeScript 5.4 cannot read",
    files: { [`${dist}/index.d.ts`]: before("export declare const bytes: Uint8Array<ArrayBuffer>;") },
    judge: types(0, 1),
    sees: /Type 'Uint8Array' is not generic/,
  },
  {
    name: "a face with another type",
    files: { [`${dist}/open-face.d.ts`]: (text) => text.replaceAll("Promise<Odradek>", "Promise<object>") },
    judge: types(3, 1),
    sees: /createTopic/,
  },
];
