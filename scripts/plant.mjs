/**
 * Plants a bug: one text of one source file replaced as the file is loaded, so that the tree stays as it is and many can be tried at
 * once. A plant is `{ file, find, replace }`, the file named from the project's root; `find` has to occur exactly once.
 * In assembly/, the core is compiled with it, and those who load the core get that one.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { projectRoot } from "./run.mjs";

/**
 * @typedef {{ readonly file: string, readonly find: string, readonly replace: string }} Plant
 */

/** What loads the core's bytes: in the product, and in the core's own tests. */
const INLINE_CORE = "src/core/core-bytes.ts";
const BUILT_CORES = "test/core/builds.ts";
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
const BUILT_CORE = "new URL(`../../build/core.${build}.wasm`, import.meta.url)";

/**
 * How often the text to be replaced stands in the file: anything but 1 is a stale plant.
 * @param {Plant} plant
 */
export function occurrencesOf({ file, find }) {
  return readFileSync(join(projectRoot, file), "utf8").split(find).length - 1;
}

/**
 * The source with the bug in it. Throws when the text to be replaced is not there, or more than once.
 * @param {Plant} plant
 */
export function planted({ file, find, replace }) {
  const pieces = readFileSync(join(projectRoot, file), "utf8").split(find);
  if (pieces.length !== 2) throw new Error(`stale plant: ${file} has ${pieces.length - 1} of the text to be replaced:\n${find}`);
  return pieces.join(replace);
}

/**
 * For esbuild.
 * @param {Plant} plant
 * @returns {import("esbuild").Plugin}
 */
export function esbuildPlant(plant) {
  return {
    name: "plant",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const contents = await contentsOf(plant, path);
        return contents === undefined ? undefined : { contents, loader: "ts" };
      });
    },
  };
}

/** How the prover that kills processes names the package that they run. */
const PACKAGE = /new URL\("(?:\.\.\/)+dist\/index\.js", "file:[^"]*"\)/g;

/**
 * Makes a package with the bug in it, and has a bundle of the provers kill processes that run this one.
 * @param {Plant | null} plant null: the same package without a bug
 * @param {string} bundle the provers'
 * @param {string} outfile the package's
 */
export async function plantPackage(plant, bundle, outfile) {
  await build({
    entryPoints: [join(projectRoot, "src/index.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
    plugins: plant === null ? [] : [esbuildPlant(plant)],
  });
  const source = readFileSync(bundle, "utf8");
  if (source.match(PACKAGE) === null) throw new Error(`${bundle}: expected the kills prover to name dist/index.js`);
  writeFileSync(
    bundle,
    source.replace(PACKAGE, () => `new URL(${JSON.stringify(pathToFileURL(outfile).href)})`),
  );
}

/**
 * For vitest: what the file named by ODRADEK_PLANT says is planted; without the variable, nothing is.
 * @returns {import("vite").Plugin[]}
 */
export function vitestPlant() {
  const named = process.env.ODRADEK_PLANT;
  if (named === undefined) return [];
  /** @type {Plant} */
  const plant = JSON.parse(readFileSync(named, "utf8"));
  return [{ name: "plant", enforce: "pre", load: (id) => contentsOf(plant, id.replace(/\?.*$/, "")) }];
}

/** @param {Plant} plant */
async function contentsOf(plant, path) {
  const file = path.startsWith(projectRoot) ? path.slice(projectRoot.length).split(sep).join("/") : path;
  if (!plant.file.startsWith("assembly/")) return file === plant.file ? planted(plant) : undefined;
  if (file === INLINE_CORE) return `export const CORE_BASE64: string = "${(await plantedCore(plant)).toString("base64")}";\n`;
  if (file !== BUILT_CORES) return undefined;
  const core = `Buffer.from("${(await plantedCore(plant)).toString("base64")}", "base64")`;
  const source = readFileSync(path, "utf8");
  if (!source.includes(`readFileSync(${BUILT_CORE})`)) throw new Error(`${BUILT_CORES} no longer reads ${BUILT_CORE}`);
  return source.replace(`readFileSync(${BUILT_CORE})`, () => core);
}

/** @type {Map<string, Promise<Buffer>>} */
const cores = new Map();

/** @param {Plant} plant */
function plantedCore(plant) {
  const key = JSON.stringify(plant);
  const core = cores.get(key) ?? compiled(plant);
  cores.set(key, core);
  return core;
}

/** Compiled without much optimising: what is wrong with it is wrong at any level. */
async function compiled(plant) {
  // Under a name, since its types would redeclare the globals of everything that is checked with us.
  const compiler = "assemblyscript/asc";
  const { default: asc } = await import(compiler);
  const { entries, options } = JSON.parse(readFileSync(join(projectRoot, "asconfig.json"), "utf8"));
  const source = planted(plant);
  const flags = Object.entries(options).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.length === 0 ? [] : [`--${name}`, value.join(",")];
    return [`--${name}`, String(value)];
  });
  let binary;
  const { error, stderr } = await asc.main([...entries, "--config", "none", "--optimizeLevel", "1", "--outFile", "core.wasm", ...flags], {
    readFile: (name) => {
      if (name.split(sep).join("/") === plant.file) return source;
      const path = join(projectRoot, name);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile: (_name, contents) => {
      binary = Buffer.from(contents);
    },
  });
  if (error !== null || binary === undefined) throw new Error(`asc said of the core with a plant in ${plant.file}:\n${stderr}${error}`);
  return binary;
}
