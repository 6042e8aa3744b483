/** Which files a folder holds. */
import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";

const never = new Set(["node_modules", "dist", "build", "coverage", ".git", "demo-data", "data", "target"]);

/**
 * Paths relative to `root`, with "/" between parts, sorted; of the files under `folder` whose names end in one of `endings` (all, when none is given).
 * @param {string} root
 * @param {string} folder
 * @param {readonly string[]} [endings]
 * @returns {string[]}
 */
export function filesUnder(root, folder, endings = []) {
  const top = join(root, folder);
  if (!existsSync(top)) return [];
  const found = [];
  for (const entry of readdirSync(top, { withFileTypes: true })) {
    if (never.has(entry.name)) continue;
    const path = join(top, entry.name);
    const name = relative(root, path).split(sep).join("/");
    if (entry.isDirectory()) found.push(...filesUnder(root, name, endings));
    else if (entry.isFile() && (endings.length === 0 || endings.some((ending) => entry.name.endsWith(ending)))) found.push(name);
  }
  return found.sort();
}
