/** How many bytes some modules of the library are, with all that they need. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Gzipped bytes of all that these modules export, in one file, minified.
 * @param {string} folder of the modules as the compiler left them
 * @param {readonly string[]} modules by their path in it, without the ending
 */
export async function modulesSize(folder, modules) {
  const contents = modules.map((path) => `export * from "./${path}.js";`).join("\n");
  const options = { bundle: true, write: false, minify: true, format: "esm", platform: "browser", logLevel: "silent" };
  const { outputFiles } = await build({ stdin: { contents, resolveDir: folder }, ...options });
  return gzipSync(outputFiles[0].contents, { level: 9 }).byteLength;
}
