/** Whether what npm would publish installs, resolves, type-checks and loads: judged on the packed tarball, in a folder of its own. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { browserSizes } from "../browser-sizes.mjs";
import { filesUnder } from "../files.mjs";
import { projectRoot, run, runNode } from "../run.mjs";
import { topLevelAwaits } from "./source.mjs";

/** Conditions are tried in order, so the order is part of the promise. */
const conditionOrder = ["types", "workerd", "edge-light", "deno", "bun", "node", "browser", "default"];
const installedByteLengthMax = 1024 * 1024;
const coreByteLengthMax = 32 * 1024;
/** Gzipped, by esbuild: what a page parses before it calls anything; what attaching, and opening, have loaded in the end. */
const browserBudgets = {
  first: { byteLengthMax: 60 * 1024, what: "first bundle" },
  attach: { byteLengthMax: 108 * 1024, what: "attached" },
  open: { byteLengthMax: 190 * 1024, what: "opened" },
  whole: { byteLengthMax: 190 * 1024, what: "in one file" },
};
/** Of Node's entry, with all that it imports before it is there: each costs a resolution, a read and a millisecond. */
const loadedFilesMax = 8;
/** Beside dist, npm adds these itself. */
const allowedFile = /^(?:dist\/.+|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/;
/** What whoever looks into it must find. */
const wantedFiles = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/**
 * Answers `{ problems, saw }`: builds first, then judges.
 * @param {string} root
 * @returns {Promise<{ problems: string[], notes?: string[], saw: string }>}
 */
export async function check(root) {
  const built = await runNode("scripts/build.mjs", [], { cwd: root });
  if (built.code !== 0) return { problems: [built.output], saw: "" };
  return judge(root);
}

/**
 * The same for a folder whose dist stands.
 * @param {string} root
 * @returns {Promise<{ problems: string[], notes?: string[], saw: string }>}
 */
export async function judge(root) {
  const folder = mkdtempSync(join(tmpdir(), "odradek-package-"));
  try {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const problems = manifestProblems(manifest);
    const packed = await pack(root, folder);
    if (packed.problem) return { problems: [...problems, packed.problem], saw: "" };
    problems.push(...contentProblems(root, manifest, packed));
    problems.push(...(await publintProblems(packed.tarball)), ...(await typesWrongProblems(packed.tarball)));
    await unpack(packed.tarball, join(folder, "node_modules", manifest.name));
    problems.push(
      ...awaitProblems(folder, manifest.name),
      ...loadedFilesProblems(join(folder, "node_modules", manifest.name, "dist")),
      ...(await consumerProblems(folder, manifest)),
      ...(await loadProblems(folder, manifest)),
    );
    const browser = await browserBundle(folder, manifest);
    problems.push(...browser.problems);
    const saw = [`${packed.files.length} files`, `${kib(packed.unpackedByteLength)} installed`, ...browser.saw].join(", ");
    return { problems, saw };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function manifestProblems(manifest) {
  const problems = [];
  const refuse = (wrong, sentence) => wrong && problems.push(`package.json: ${sentence}`);
  for (const field of ["dependencies", "optionalDependencies", "peerDependencies", "bundleDependencies"]) {
    refuse(Object.keys(manifest[field] ?? {}).length > 0, `${field} is not empty: nothing is needed at run time`);
  }
  for (const script of ["preinstall", "install", "postinstall", "prepare", "prepublish"]) {
    refuse(manifest.scripts?.[script] !== undefined, `there is an install script "${script}"`);
  }
  refuse(manifest.type !== "module", `type is ${JSON.stringify(manifest.type)}, not "module"`);
  refuse(manifest.sideEffects !== false, "sideEffects is not false");
  refuse(!Array.isArray(manifest.files), "there is no allow-list `files`");
  for (const [name, version] of Object.entries(manifest.devDependencies ?? {})) {
    refuse(!/^(?:npm:.+@)?\d+\.\d+\.\d+/.test(version), `${name} is not pinned: ${version}`);
  }
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (typeof target !== "object") continue;
    const given = Object.keys(target);
    const expected = conditionOrder.filter((condition) => given.includes(condition));
    refuse(
      given.join() !== expected.join(),
      `exports["${subpath}"] has the conditions ${given.join(" ")}; the order is ${expected.join(" ")}`,
    );
  }
  return problems;
}

async function pack(root, folder) {
  const { code, output } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root });
  const start = output.indexOf("[\n");
  if (code !== 0 || start === -1) return { problem: `npm pack failed: ${output}` };
  const [answer] = JSON.parse(output.slice(start, output.lastIndexOf("]") + 1));
  return { tarball: join(folder, answer.filename), files: answer.files.map(({ path }) => path), unpackedByteLength: answer.unpackedSize };
}

function contentProblems(root, manifest, packed) {
  const problems = [];
  for (const file of packed.files) {
    if (!allowedFile.test(file)) problems.push(`the tarball holds ${file}, which nobody needs`);
    if (/\.(?:map|tsbuildinfo|tgz)$/.test(file)) problems.push(`the tarball holds ${file}, which nobody reads`);
  }
  for (const file of wantedFiles) if (!packed.files.includes(file)) problems.push(`the tarball lacks ${file}`);
  const targets = [...Object.values(manifest.exports ?? {}).flatMap(leaves), ...leaves(manifest.bin ?? {})];
  for (const target of new Set(targets)) {
    if (!packed.files.includes(target.replace(/^\.\//, ""))) problems.push(`package.json names ${target}, which is not in the tarball`);
  }
  for (const file of packed.files.filter((name) => /^dist\/vendor\/[^/]+\.js$/.test(name))) {
    const licence = file.replace(/\.js$/, ".LICENSE");
    if (!packed.files.includes(licence)) problems.push(`${file} is other people's work and ships without ${licence}`);
  }
  if (packed.unpackedByteLength > installedByteLengthMax)
    problems.push(`${kib(packed.unpackedByteLength)} installed; the bound is ${kib(installedByteLengthMax)}`);
  const core = join(root, "dist/core.wasm");
  if (existsSync(core) && readFileSync(core).byteLength > coreByteLengthMax) {
    problems.push(`dist/core.wasm is ${kib(readFileSync(core).byteLength)}; the bound is ${kib(coreByteLengthMax)}`);
  }
  return problems;
}

function leaves(target) {
  return typeof target === "string" ? [target] : Object.values(target ?? {}).flatMap(leaves);
}

async function publintProblems(tarball) {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    strict: true,
  });
  return messages.filter(({ type }) => type !== "suggestion").map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`);
}

async function typesWrongProblems(tarball) {
  const cli = join(projectRoot, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const { code, output } = await runNode(
    cli,
    [tarball, "--profile", "esm-only", "--exclude-entrypoints", "./core.wasm", "--no-emoji", "--no-color", "--format", "ascii"],
    { cwd: projectRoot },
  );
  return code === 0 ? [] : [`are-the-types-wrong: ${output.trim()}`];
}

async function unpack(tarball, folder) {
  mkdirSync(folder, { recursive: true });
  const { code, output } = await run("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
  if (code !== 0) throw new Error(`tar could not unpack ${tarball}: ${output}`);
}

function awaitProblems(folder, name) {
  const problems = [];
  for (const file of filesUnder(join(folder, "node_modules", name, "dist"), ".", [".js"])) {
    const text = readFileSync(join(folder, "node_modules", name, "dist", file), "utf8");
    const lines = topLevelAwaits(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
    if (lines.length > 0) problems.push(`dist/${file}:${lines[0]}: await at the top of a module: require() of the package then fails`);
  }
  return problems;
}

function loadedFilesProblems(dist) {
  const loaded = new Set([join(dist, "index.js")]);
  for (const file of loaded) {
    const { importedFiles } = ts.preProcessFile(existsSync(file) ? readFileSync(file, "utf8").replaceAll("import(", "lazily(") : "");
    for (const { fileName } of importedFiles) if (fileName.startsWith(".")) loaded.add(join(file, "..", fileName));
  }
  return loaded.size <= loadedFilesMax
    ? []
    : [`dist/index.js loads ${loaded.size} files; the bound is ${loadedFilesMax}: see scripts/bundle.mjs`];
}

/** Entries that a program imports by name. */
function importable(manifest) {
  return Object.entries(manifest.exports ?? {})
    .filter(([, target]) => typeof target === "object")
    .map(([subpath]) => manifest.name + subpath.slice(1));
}

/** A stranger's project: every library checked, exact optional properties; once with nothing but the language, once with each set of types that people have. */
async function consumerProblems(folder, manifest) {
  const entries = importable(manifest);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  writeFileSync(
    join(folder, "consumer.ts"),
    entries
      .map(
        (entry, index) => `import * as entry${index} from ${JSON.stringify(entry)};\nexport const kept${index}: object = entry${index};\n`,
      )
      .join(""),
  );
  // What every runtime's own types declare, and nothing more: whatever else the face leans on turns red.
  writeFileSync(
    join(folder, "globals.d.ts"),
    "interface AbortSignal { readonly aborted: boolean; readonly reason: any }\ninterface URL { readonly href: string }\n",
  );
  mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
  const settings = {
    bare: { lib: ["es2022"], types: [], files: ["consumer.ts", "globals.d.ts"] },
    dom: { lib: ["es2022", "dom"], types: [], files: ["consumer.ts"] },
    node: { lib: ["es2022"], types: ["node"], typeRoots: [join(projectRoot, "node_modules/@types")], files: ["consumer.ts"] },
  };
  const problems = [];
  for (const [name, { files, ...options }] of Object.entries(settings)) {
    const config = join(folder, `tsconfig.${name}.json`);
    const compilerOptions = {
      target: "es2022",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      ...options,
    };
    writeFileSync(config, JSON.stringify({ compilerOptions, files }));
    for (const compiler of ["typescript", "ts7"]) {
      const { code, output } = await runNode(join(projectRoot, "node_modules", compiler, "bin/tsc"), ["-p", config, "--pretty", "false"], {
        cwd: folder,
      });
      if (code !== 0) problems.push(`a project with ${name} types, by ${compiler}: ${output.split("\n").slice(0, 12).join("\n")}`);
    }
  }
  return problems;
}

/** Loading prints nothing, needs no code generation from strings, and leaves nothing running. */
async function loadProblems(folder, manifest) {
  const problems = [];
  for (const entry of importable(manifest)) {
    const script = join(folder, "load.mjs");
    writeFileSync(
      script,
      `import * as entry from ${JSON.stringify(entry)};\nif (Object.keys(entry).length === 0) throw new Error("it exports nothing");\n`,
    );
    const { code, output } = await run(process.execPath, ["--disallow-code-generation-from-strings", script], {
      cwd: folder,
      timeoutMs: 20_000,
    });
    if (code !== 0) problems.push(`import "${entry}" failed: ${output}`);
    else if (output !== "") problems.push(`import "${entry}" prints: ${output}`);
  }
  return problems;
}

async function browserBundle(folder, manifest) {
  try {
    const sizes = await browserSizes(folder, manifest.name);
    const problems = Object.entries(browserBudgets)
      .filter(([part, { byteLengthMax }]) => sizes[part] > byteLengthMax)
      .map(([part, { byteLengthMax, what }]) => `browsers, ${what}: ${kib(sizes[part])} gzipped; the bound is ${kib(byteLengthMax)}`);
    return { problems, saw: Object.entries(browserBudgets).map(([part, { what }]) => `${kib(sizes[part])} ${what}`) };
  } catch (error) {
    return { problems: [`a browser's bundler refuses it: ${error.message}`], saw: [] };
  }
}

function kib(byteLength) {
  return `${(byteLength / 1024).toFixed(1)} KiB`;
}
