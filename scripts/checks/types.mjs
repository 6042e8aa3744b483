/** Whether the types hold: all that a person writes, then what ships, then what runs without Node, by the fast compiler; the build's own compiler speaks in the package check. */
import { join } from "node:path";
import { filesUnder } from "../files.mjs";
import { projectRoot, runNode } from "../run.mjs";

const compiler = join(projectRoot, "node_modules/ts7/bin/tsc");

/**
 * Answers `{ problems, saw }`.
 * @param {string} root
 * @returns {Promise<{ problems: string[], saw: string }>}
 */
export async function check(root) {
  const problems = [];
  const seen = new Set();
  for (const config of ["tsconfig.json", "tsconfig.build.json", "tsconfig.portable.json"]) {
    const { code, output } = await runNode(compiler, ["-p", config, "--noEmit", "--pretty", "false", "--listFiles"], { cwd: root });
    const lines = output.split("\n").filter((line) => line !== "");
    for (const line of lines) if (line.endsWith(".ts") && !line.includes(": error ")) seen.add(line.trim());
    const errors = lines.filter((line) => line.includes("error TS") || line.startsWith("  "));
    problems.push(...errors);
    if (code !== 0 && errors.length === 0) problems.push(`${config}: tsc ended with ${code}: ${output.slice(-2000)}`);
  }
  const names = [...seen].map((file) => file.replaceAll("\\", "/"));
  for (const file of filesUnder(root, "src", [".ts"])) {
    if (!names.some((name) => name.endsWith(`/${file}`))) problems.push(`${file}: no compiler read it`);
  }
  return { problems: [...new Set(problems)], saw: `${names.filter((name) => !name.includes("/node_modules/")).length} files` };
}
