/** Compiles assembly/ into build/core.{release,debug}.wasm and src/core/core-bytes.ts, and refuses what the core may not be. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const root = fileURLToPath(new URL("../", import.meta.url));
const BYTE_LENGTH_MAX = 32 * 1024;
const DATA_SECTION = 11;

process.chdir(root);
const config = JSON.parse(readFileSync("asconfig.json", "utf8"));
mkdirSync("build", { recursive: true });
for (const target of ["release", "debug"]) {
  // As arguments: of an option it does not know asc says nothing in asconfig.json, and gives a warning here.
  const options = argumentsOf({ ...config.options, ...config.targets[target] });
  const { error, stderr } = await asc.main([...config.entries, "--config", "none", ...options]);
  const messages = stderr.toString();
  if (error !== null || /WARNING|ERROR|FAILURE/.test(messages)) fail(`asc (${target}) said:\n${messages || error}`);
  const bytes = readFileSync(`build/core.${target}.wasm`);
  const module = new WebAssembly.Module(bytes);
  const imports = WebAssembly.Module.imports(module);
  if (imports.length > 0)
    fail(`the ${target} core imports ${imports.map(({ module, name }) => `${module}.${name}`).join(", ")}; it must import nothing`);
  if (sectionIds(bytes).includes(DATA_SECTION)) fail(`the ${target} core has a data section; its memory map leaves no room for one`);
  if (target === "release" && bytes.length >= BYTE_LENGTH_MAX)
    fail(`the core is ${bytes.length} bytes; it must stay below ${BYTE_LENGTH_MAX}`);
  console.log(`core.${target}.wasm ${bytes.length} bytes`);
}

const base64 = readFileSync("build/core.release.wasm").toString("base64");
const source = `/** The core's binary, in base64. Made by scripts/build-core.mjs from assembly/: do not edit, do not commit. */\nexport const CORE_BASE64: string =\n  "${base64}";\n`;
// Left alone when it is the same: whoever watches or reads it at this moment is not disturbed.
if (!existsSync("src/core/core-bytes.ts") || readFileSync("src/core/core-bytes.ts", "utf8") !== source)
  writeFileSync("src/core/core-bytes.ts", source);

function argumentsOf(options) {
  return Object.entries(options).flatMap(([name, value]) => {
    if (Array.isArray(value)) return value.length === 0 ? [] : [`--${name}`, value.join(",")];
    if (typeof value === "boolean") return value ? [`--${name}`] : [];
    return [`--${name}`, String(value)];
  });
}

function sectionIds(bytes) {
  const ids = [];
  let at = 8;
  while (at < bytes.length) {
    ids.push(bytes[at++]);
    let byteLength = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      byteLength |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    at += byteLength;
  }
  return ids;
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
