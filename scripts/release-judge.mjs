/** What would keep a release from being one: pure, on lists and texts, each answer a sentence or null. */

/** Whoever looks into the tarball must find these. */
const wantedInTarball = ["package.json", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "dist/core.wasm", "dist/index.js"];

/**
 * Two builds of the same sources, as hashes by name.
 * @param {ReadonlyMap<string, string>} first
 * @param {ReadonlyMap<string, string>} again
 */
export function buildsProblem(first, again) {
  if (!first.has("core.wasm")) return "the build left no core.wasm";
  const differ = [...new Set([...first.keys(), ...again.keys()])].filter((name) => first.get(name) !== again.get(name));
  return differ.length === 0
    ? null
    : `two builds of the same sources differ in ${differ.join(", ")}: dist/ cannot be made again by somebody else`;
}

/**
 * @param {string} listing what `tar -t` says
 */
export function tarballProblem(listing) {
  const inside = listing.split("\n").map((line) => line.replace(/^package\//, ""));
  const missing = wantedInTarball.filter((file) => !inside.includes(file));
  return missing.length === 0 ? null : `the tarball lacks ${missing.join(", ")}`;
}

/**
 * @param {string} changes the text of CHANGELOG.md
 * @param {string} version
 */
export function changesProblem(changes, version) {
  const headings = changes.split("\n").filter((line) => line.startsWith("## "));
  const isTold = headings.some((line) => line === "## Unreleased" || line === `## ${version}` || line.startsWith(`## ${version} `));
  return isTold ? null : `CHANGELOG.md tells nothing of ${version}`;
}
