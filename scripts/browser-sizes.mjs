/** How many gzipped bytes of the package a browser loads, and when: by esbuild, with chunks, and all in one file. */
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Of everything that the package `name`, found from `folder`, exports: `first` is what a page parses before it calls anything, `attach` and
 * `open` what is there when it has attached or opened (chunks that they share count in each), `whole` one file with all of it.
 * @param {string} folder
 * @param {string} name
 * @returns {Promise<{ first: number, attach: number, open: number, whole: number }>}
 */
export async function browserSizes(folder, name) {
  const options = {
    stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: folder },
    bundle: true,
    metafile: true,
    write: false,
    outdir: join(folder, "page"),
    absWorkingDir: folder,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["browser"],
    logLevel: "silent",
  };
  const { outputFiles, metafile } = await build({ ...options, splitting: true });
  const gzipped = new Map(outputFiles.map(({ path, contents }) => [basename(path), gzippedByteLength(contents)]));
  const outputs = new Map(Object.entries(metafile.outputs).map(([path, output]) => [basename(path), output]));
  const [entry] = [...outputs].find(([, { entryPoint }]) => entryPoint === "<stdin>");
  const byteLength = (...prefixes) => {
    const later = [...outputs.keys()].filter((each) => prefixes.some((prefix) => each.startsWith(prefix)));
    return [...reached(outputs, [entry, ...later])].reduce((sum, each) => sum + gzipped.get(each), 0);
  };
  const { outputFiles: oneFile } = await build(options);
  const whole = gzippedByteLength(oneFile[0].contents);
  return { first: byteLength(), attach: byteLength("attach-portable"), open: byteLength("open-portable"), whole };
}

/** These outputs, and all that they import at once. */
function reached(outputs, names, found = new Set()) {
  for (const name of names) {
    if (found.has(name)) continue;
    found.add(name);
    const atOnce = outputs.get(name).imports.filter(({ kind, external }) => kind === "import-statement" && external !== true);
    reached(
      outputs,
      atOnce.map(({ path }) => basename(path)),
      found,
    );
  }
  return found;
}

function gzippedByteLength(bytes) {
  return gzipSync(bytes, { level: 9 }).byteLength;
}
