/** Whether Biome is content with form and lint, and whether it read the sources at all. */
import { join } from "node:path";
import { filesUnder } from "../files.mjs";
import { projectRoot, runNode } from "../run.mjs";

const biome = join(projectRoot, "node_modules/@biomejs/biome/bin/biome");

/**
 * Answers `{ problems, saw }`.
 * @param {string} root
 * @returns {Promise<{ problems: string[], saw: string }>}
 */
export async function check(root) {
  const { code, output } = await runNode(biome, ["ci", "--error-on-warnings", "--max-diagnostics=200", "--colors=off", "."], { cwd: root });
  const problems = code === 0 ? [] : [output];
  const checked = Number(/Checked (\d+) files?/.exec(output)?.[1] ?? 0);
  const wanted = filesUnder(root, "src", [".ts"]).length;
  if (code === 0 && checked < wanted) problems.push(`Biome read ${checked} files; src alone holds ${wanted}`);
  return { problems, saw: `${checked} files` };
}
