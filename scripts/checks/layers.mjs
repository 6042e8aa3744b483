/** Whether every import of src looks down, by the lines of scripts/layers.mjs; and whether every file was looked at. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { filesUnder } from "../files.mjs";
import { projectRoot, run } from "../run.mjs";

const cruiser = join(projectRoot, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");

/**
 * Answers `{ problems, saw }`. `flags` are more words for dependency-cruiser: a test blinds it with them.
 * @param {string} root
 * @param {readonly string[]} [flags]
 * @returns {Promise<{ problems: string[], saw: string }>}
 */
export async function check(root, flags = []) {
  const { folderOf, lowerThan, logRooms, outside, roomOf } = await import(pathToFileURL(join(root, "scripts/layers.mjs")).href);
  const { code, output } = await run(
    process.execPath,
    [cruiser, "src", "--config", ".dependency-cruiser.mjs", "--output-type", "json", "--no-progress", ...flags],
    { cwd: root },
  );
  let result;
  try {
    result = JSON.parse(output);
  } catch {
    return { problems: [`dependency-cruiser gave no answer (exit ${code}): ${output.slice(0, 2000)}`], saw: "" };
  }
  const problems = result.summary.violations.map(
    ({ rule, from, to, comment }) =>
      `${from} -> ${to}: ${rule.name}: ${comment ?? result.summary.ruleSetUsed.forbidden.find(({ name }) => name === rule.name)?.comment}`,
  );

  // With a compiler it cannot use, dependency-cruiser looks at no module and is content.
  const files = filesUnder(root, "src", [".ts"]);
  const cruised = new Set(result.modules.map(({ source }) => source).filter((source) => source.startsWith("src/")));
  for (const file of files) if (!cruised.has(file)) problems.push(`${file}: not cruised, so none of its imports was judged`);
  const rooms = new Set(logRooms.flat());
  for (const file of files) {
    const room = roomOf(file);
    if (room !== null && !rooms.has(room)) problems.push(`${file}: no line of scripts/layers.mjs names the room "${room}" of src/log`);
    const folder = folderOf(file);
    try {
      if (!outside.includes(folder)) lowerThan(folder);
    } catch (error) {
      problems.push(`${file}: ${error.message}`);
    }
  }
  if (files.length === 0) problems.push("src holds no TypeScript file");
  return { problems, saw: `${cruised.size} modules, ${result.summary.totalDependenciesCruised} imports` };
}
