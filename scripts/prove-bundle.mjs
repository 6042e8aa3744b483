/** Makes one program of the provers and the sources below them, for plain node. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { projectRoot } from "./run.mjs";

/** Inside `test/` a file may ask where it stands, for its fixtures: it is told where its source does. */
const urlOfSource = {
  name: "url-of-source",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]test[\\/].*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta.url")) return null;
      return { contents: text.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)), loader: "ts" };
    });
  },
};

/**
 * @param {string} outfile
 * @param {readonly import("esbuild").Plugin[]} [plugins] what plants a bug in a source, say
 */
export async function bundleProvers(outfile, plugins = []) {
  await build({
    entryPoints: [join(projectRoot, "test/prove/worker.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "error",
    plugins: [...plugins, urlOfSource],
  });
}
