/** Each bundler as its own documentation begins: a command line, no configuration, no plugin but where its entry says which and why. */
import { spawn } from "node:child_process";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../scripts/run.mjs";

const rig = new URL(".", import.meta.url).pathname;
const modules = join(rig, "node_modules");
const buildMsMax = 120_000;
/** Less than what a check is given: a server whose check was given up goes too. */
const serverMsMax = 140_000;

/** A call in `work`, where the program and the installed package lie; throws what it said when it failed. */
async function call(work, script, ...args) {
  const { code, output } = await run(process.execPath, [script, ...args], { cwd: work, timeoutMs: buildMsMax, env: { NO_COLOR: "1" } });
  if (code !== 0) throw new Error(output);
  return output;
}

const vite = join(modules, "vite/bin/vite.js");
const vite7 = join(modules, "vite7/bin/vite.js");
const esbuild = join(modules, "esbuild/bin/esbuild");
const rollup = join(modules, "rollup/dist/bin/rollup");
const webpack = join(rig, "webpack.mjs");

/** Entries that keep their names need only a page that asks for them. */
function withPage(work, out) {
  copyFileSync(join(work, "index.html"), join(work, out, "index.html"));
}

/**
 * A page's build leaves `out/index.html`; a program's build answers the file that node runs. `out` is relative to `work`.
 * @type {{ name: string, page?: (work: string, out: string) => Promise<void>, program?: (work: string, out: string) => Promise<string> }[]}
 */
export const bundles = [
  // First, since it takes longest.
  {
    name: "webpack",
    async page(work, out) {
      await call(work, webpack, "page.mjs", out, "web", "production");
      copyFileSync(join(rig, "app/script.html"), join(work, out, "index.html"));
    },
    // Its minifier takes twice as long as all the rest, and has had its turn with the page.
    async program(work, out) {
      await call(work, webpack, "node.mjs", out, "node", "none");
      return join(out, "main.js");
    },
  },
  {
    name: "vite",
    async page(work, out) {
      await call(work, vite, "build", "--outDir", out);
    },
    // By default it leaves packages for node to find.
    async program(work, out) {
      await call(work, vite, "build", "--ssr", "node.mjs", "--outDir", out);
      return join(out, "node.mjs");
    },
  },
  {
    // Up to this version a worker may load no chunk: there only what is loaded at once will do.
    name: "vite 7",
    async page(work, out) {
      await call(work, vite7, "build", "--outDir", out);
    },
  },
  {
    name: "esbuild",
    async page(work, out) {
      const flags = ["--bundle", "--minify", "--splitting", "--format=esm", "--out-extension:.js=.mjs"];
      await call(work, esbuild, "page.mjs", "worker.mjs", ...flags, `--outdir=${out}`);
      withPage(work, out);
    },
    async program(work, out) {
      await call(work, esbuild, "node.mjs", "--bundle", "--platform=node", `--outfile=${join(out, "node.cjs")}`);
      return join(out, "node.cjs");
    },
  },
  {
    name: "esbuild, all in one file",
    async page(work, out) {
      await call(
        work,
        esbuild,
        "page.mjs",
        "worker.mjs",
        "--bundle",
        "--minify",
        "--format=esm",
        "--out-extension:.js=.mjs",
        `--outdir=${out}`,
      );
      withPage(work, out);
    },
    async program(work, out) {
      await call(
        work,
        esbuild,
        "node.mjs",
        "--bundle",
        "--minify",
        "--platform=node",
        "--format=esm",
        `--outfile=${join(out, "node.mjs")}`,
      );
      return join(out, "node.mjs");
    },
  },
  {
    // It looks in no node_modules by itself: what it cannot find it leaves for node.
    name: "rollup, the package left for node",
    async program(work, out) {
      await call(work, rollup, "node.mjs", "-d", out, "--entryFileNames", "[name].mjs");
      return join(out, "node.mjs");
    },
  },
  {
    name: "rollup, the package's own files named",
    async page(work, out) {
      await call(work, rollup, "page-by-path.mjs", "worker-by-path.mjs", "-d", out, "--entryFileNames", "[name].mjs");
      copyFileSync(join(work, "by-path.html"), join(work, out, "index.html"));
    },
    async program(work, out) {
      await call(work, rollup, "node-by-path.mjs", "-d", out, "--entryFileNames", "[name].mjs");
      return join(out, "node-by-path.mjs");
    },
  },
  {
    name: "rollup with its plugin node-resolve",
    async page(work, out) {
      await call(work, rollup, "page.mjs", "worker.mjs", "-d", out, "--entryFileNames", "[name].mjs", "-p", "node-resolve={browser:true}");
      withPage(work, out);
    },
    async program(work, out) {
      const plugin = "node-resolve={exportConditions:['node']}";
      await call(work, rollup, "node.mjs", "-d", out, "--entryFileNames", "[name].mjs", "-p", plugin);
      return join(out, "node.mjs");
    },
  },
];

/** Our end of its standard input goes when we are killed, and a server that nobody asks any more with it. */
const endsWithUs = 'data:text/javascript,process.stdin.resume().on("end",()=>process.exit())';

/** vite's server, as one runs it while one writes: calls `use` with its address, and ends it. */
export async function withViteServer(work, use) {
  const server = spawn(process.execPath, ["--import", endsWithUs, vite, "--host", "127.0.0.1", "--port", "0"], {
    cwd: work,
    env: { ...process.env, NO_COLOR: "1" },
    timeout: serverMsMax,
    killSignal: "SIGKILL",
  });
  try {
    let said = "";
    const url = await new Promise((resolve, reject) => {
      const hear = (piece) => {
        said += piece;
        const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)?.[0];
        if (address !== undefined) resolve(address);
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
      server.on("close", () => reject(new Error(`vite ended: ${said}`)));
    });
    return await use(url);
  } finally {
    server.kill("SIGKILL");
  }
}
