/** Consumers' settings by which the package's declarations are compiled, each library checked. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../scripts/run.mjs";

const modules = new URL("node_modules/", import.meta.url).pathname;
const compileMsMax = 60_000;

/** Name in package.json, and what it can. From 5.8 on a CommonJS file may require() a module. */
export const compilers = [
  { name: "TypeScript 5.4", alias: "ts5.4", requires: false },
  { name: "TypeScript 5.9", alias: "ts5.9", requires: true },
  { name: "TypeScript 6.0", alias: "ts6.0", requires: true },
  { name: "TypeScript 7.0", alias: "ts7.0", requires: true },
];

const web = { lib: ["es2022", "dom"], types: [] };
const node = { lib: ["es2022"], types: ["node"], typeRoots: [join(modules, "@types")] };
const bundler = { module: "esnext", moduleResolution: "bundler" };

export const settings = [
  { name: "a page's types, resolution as bundlers do", options: { ...web, ...bundler }, files: ["web.ts"] },
  { name: "a page's types, resolution node16", options: { ...web, module: "node16", moduleResolution: "node16" }, files: ["web.mts"] },
  { name: "Node's types, resolution as bundlers do", options: { ...node, ...bundler }, files: ["node.ts"] },
  {
    name: "Node's types, resolution nodenext",
    options: { ...node, module: "nodenext", moduleResolution: "nodenext" },
    files: ["node.mts", "required.cts"],
  },
];

/** Compiles the consumer in `folder` (where the package is installed) and answers what the compiler said, or null. */
export async function typesProblem(folder, compiler, setting) {
  const config = join(folder, `tsconfig.${compiler.alias}.${settings.indexOf(setting)}.json`);
  const compilerOptions = {
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    skipLibCheck: false,
    noEmit: true,
    ...setting.options,
  };
  const files = setting.files.filter((file) => compiler.requires || !file.endsWith(".cts"));
  writeFileSync(config, JSON.stringify({ compilerOptions, files }));
  const tsc = join(modules, compiler.alias, "bin/tsc");
  const { code, output } = await run(process.execPath, [tsc, "-p", config, "--pretty", "false"], { cwd: folder, timeoutMs: compileMsMax });
  return code === 0 ? null : output.split("\n").slice(0, 12).join("\n");
}
