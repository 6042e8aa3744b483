/**
 * Emits dist by the compiler's own API, from one program: JavaScript without its comments (they are in the sources, and would be a
 * third of the package), and declarations with theirs, of what the public entries reach and nothing else.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { transformSync } from "esbuild";
import ts from "typescript";

/** What package.json's `types` name. */
const publicDeclarations = ["index.d.ts", "testing/index.d.ts"];

/**
 * Answers the files written, or what is wrong with the sources; then nothing is written.
 * @param {string} root the folder of tsconfig.build.json
 * @returns {{ files: string[], problems: string }}
 */
export function emit(root) {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
  const config = ts.getParsedCommandLineOfConfigFile(join(root, "tsconfig.build.json"), undefined, host);
  if (config === undefined) return { files: [], problems: "tsconfig.build.json cannot be read" };
  const program = ts.createProgram({ rootNames: config.fileNames, options: config.options });
  const texts = new Map();
  const { diagnostics } = program.emit(undefined, (file, text) => texts.set(resolve(file), text));
  const wrong = [...config.errors, ...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (wrong.length > 0) {
    const place = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => root, getNewLine: () => "\n" };
    return { files: [], problems: ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(wrong), place) };
  }
  const out = resolve(config.options.outDir);
  const wanted = reachable(
    texts,
    publicDeclarations.map((name) => join(out, name)),
  );
  const files = [];
  for (const [file, text] of texts) {
    if (file.endsWith(".d.ts") && !wanted.has(file)) continue;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, file.endsWith(".js") ? withoutComments(text) : text);
    files.push(file);
  }
  return { files, problems: files.length === 0 ? `nothing was emitted under ${relative(root, out)}` : "" };
}

/** The compiler drops the comments and indents by four; esbuild would keep some, and indents by two. */
function withoutComments(text) {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true };
  const bare = ts.transpileModule(text, { compilerOptions }).outputText;
  return transformSync(bare, { format: "esm", target: "es2022", charset: "utf8" }).code;
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
