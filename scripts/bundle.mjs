/**
 * Bundles build/js into dist: one file to an entry, and chunks for what several share. Four hundred small files took four times as
 * long to load, and twice the room on a disk, as these. Comments, white space and the names of what is local go: they would be half of the
 * package. Methods and the classes of errors keep theirs, so that a stack trace can be read.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { build, transformSync } from "esbuild";
import { modulesFolder } from "./emit.mjs";

const entries = ["index", "index.browser", "index.workerd", "index.edge", "opfs", "durable-object", "testing/index", "cli"];

/**
 * What is loaded together is one file. esbuild makes a chunk of what the same entries reach, which came to sixteen files for Node at a
 * millisecond each; so every entry is made to reach whole rooms: what a page loads first, then what it attaches with, then the engine.
 */
const FIRST = ["entry", "serve-port"];
const ATTACHED = [...FIRST, "attach-port", "attached/not-let-in"];
const ALL = [...ATTACHED, "open", "storage/lock-holder"];
/** By entry, those of `import()` too; `ALL` unless named. */
const reached = {
  "index.browser": FIRST,
  "durable-object": FIRST,
  "testing/index": FIRST,
  cli: FIRST,
  "attach-portable": ATTACHED,
};

/**
 * Answers the files written, or what kept them from it.
 * @param {string} root
 * @returns {Promise<{ files: string[], problems: string }>}
 */
export async function bundle(root) {
  const from = join(root, modulesFolder);
  const dist = join(root, "dist");
  const { outputFiles } = await build({
    entryPoints: entries.map((name) => ({ in: join(from, `${name}.js`), out: name })),
    outdir: dist,
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    write: false,
    absWorkingDir: root,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    // One character beyond Latin-1, and V8 keeps all of a file in twice the memory.
    charset: "ascii",
    legalComments: "none",
    minify: true,
    // Node shows the line that threw: it must not be the whole library.
    lineLimit: 160,
    external: ["node:*", "./core.wasm", "./core.wasm?module"],
    plugins: [vendored(from), together(from), namedErrors],
    logLevel: "error",
  });
  const files = outputFiles.map(({ path }) => path);
  const lost = outputFiles
    .flatMap(({ path, text }) => relativeImports(text).map((name) => resolve(dirname(path), name)))
    .filter((path) => !files.includes(path) && !existsSync(path.replace(/\?module$/, "")));
  if (lost.length > 0) return { files: [], problems: `the bundles import what is not there: ${[...new Set(lost)].join(", ")}` };
  // Chunks before the entries that name them: whoever loads dist at this moment finds it whole.
  const isEntry = ({ path }) => entries.includes(relative(dist, path).replace(/\.js$/, ""));
  for (const { path, text } of [...outputFiles].sort((left, right) => Number(isEntry(left)) - Number(isEntry(right)))) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return { files, problems: "" };
}

/** What is thrown is shown with the name of its class, and only that one is kept: keeping all would cost a call for every closure made. */
const namedErrors = {
  name: "named-errors",
  setup({ onLoad }) {
    onLoad({ filter: /[-/\\](?:errors?)\.js$/ }, ({ path }) => ({
      contents: transformSync(readFileSync(path, "utf8"), { format: "esm", target: "es2022", charset: "utf8", keepNames: true }).code,
    }));
  },
};

/** Entries reach all of their rooms; and a module counts as reached where it is imported at all, though nothing of it be used there. */
function together(from) {
  return {
    name: "together",
    setup({ onResolve, onLoad }) {
      const doors = new Set(entries.map((name) => join(from, `${name}.js`)));
      onResolve({ filter: /\.js$/ }, ({ path, resolveDir, kind }) => {
        const file = resolve(resolveDir, path);
        if (kind === "dynamic-import") doors.add(file);
        return { path: file, sideEffects: true };
      });
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        if (!doors.has(path)) return undefined;
        const rooms = reached[relative(from, path).replace(/\.js$/, "")] ?? ALL;
        const imports = rooms.map((room) => `import ${JSON.stringify(join(from, `${room}.js`))};`);
        return { contents: `${readFileSync(path, "utf8")}\n${imports.join("")}`, resolveDir: dirname(path) };
      });
    },
  };
}

/** Other people's work ships as it was bundled, each with its licence beside it: see build-vendor.mjs. */
function vendored(from) {
  const folder = join(from, "vendor");
  return {
    name: "vendored",
    setup({ onResolve }) {
      onResolve({ filter: /\/vendor\/[a-z]+\.js$/ }, ({ path, resolveDir }) => {
        const name = relative(folder, resolve(resolveDir, path));
        // From a chunk or an entry in dist itself; a wrong guess is found below.
        return { path: `./vendor/${name}`, external: true };
      });
    },
  };
}

function relativeImports(text) {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g)].map(([, name]) => name);
}
