/**
 * Emits the sources by the compiler's own API, from one program: JavaScript, a module to a file, into build/js (from where the bundles
 * of dist are made, and scripts import single modules), and declarations into dist, of what the public entries reach and nothing else.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";

/** Where single modules stand, for the bundler and for scripts. */
export const modulesFolder = "build/js";

/** What package.json's `types` name. */
const publicDeclarations = ["index.d.ts", "opfs.d.ts", "durable-object.d.ts", "testing/index.d.ts"];

/**
 * Answers the declarations written, or what is wrong with the sources; then nothing is written.
 * @param {string} root the folder of tsconfig.build.json
 * @returns {{ declarations: string[], problems: string }}
 */
export function emit(root) {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
  const config = ts.getParsedCommandLineOfConfigFile(join(root, "tsconfig.build.json"), undefined, host);
  if (config === undefined) return { declarations: [], problems: "tsconfig.build.json cannot be read" };
  const program = ts.createProgram({ rootNames: config.fileNames, options: config.options });
  const texts = new Map();
  const { diagnostics } = program.emit(undefined, (file, text) => texts.set(resolve(file), text));
  const wrong = [...config.errors, ...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (wrong.length > 0) {
    const place = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => "\n" };
    return { declarations: [], problems: ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(wrong), place) };
  }
  const out = resolve(config.options.outDir);
  const wanted = reachable(
    texts,
    publicDeclarations.map((name) => join(out, name)),
  );
  const declarations = [];
  let moduleCount = 0;
  for (const [file, text] of texts) {
    const isDeclaration = file.endsWith(".d.ts");
    if (isDeclaration && !wanted.has(file)) continue;
    const into = isDeclaration ? file : join(root, modulesFolder, relative(out, file));
    mkdirSync(dirname(into), { recursive: true });
    writeFileSync(into, text);
    if (isDeclaration) declarations.push(file);
    else moduleCount += 1;
  }
  return { declarations, problems: moduleCount === 0 ? `nothing was emitted under ${relative(root, out)}` : "" };
}

function reachable(texts, entries) {
  const found = new Set();
  const visit = (file) => {
    const text = texts.get(file);
    if (text === undefined || found.has(file)) return;
    found.add(file);
    for (const { fileName } of ts.preProcessFile(text).importedFiles) {
      if (fileName.startsWith(".")) visit(resolve(dirname(file), fileName.replace(/\.[jt]s$/, ".d.ts")));
    }
  };
  for (const entry of entries) visit(entry);
  return found;
}
