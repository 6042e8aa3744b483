/** Each check of a release, given what must turn it red. */
import { expect, it } from "vitest";
import { buildsProblem, changesProblem, tarballProblem } from "../../scripts/release-judge.mjs";

const built = new Map([
  ["core.wasm", "aa"],
  ["index.js", "bb"],
]);
const listing = ["package.json", "README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md", "dist/core.wasm", "dist/index.js"];

it("two builds are the same to the last file", () => {
  expect(buildsProblem(built, new Map(built))).toBe(null);
});

it.each([
  ["another core", new Map([...built, ["core.wasm", "cc"]]), /differ in core\.wasm/],
  ["a file more", new Map([...built, ["left.js", "dd"]]), /differ in left\.js/],
  ["a file less", new Map([["core.wasm", "aa"]]), /differ in index\.js/],
])("a second build with %s is refused", (_, again, sentence) => {
  expect(buildsProblem(built, again)).toMatch(sentence);
});

it("a build without a core is none, however often it is made", () => {
  const none = new Map([["index.js", "bb"]]);
  expect(buildsProblem(none, none)).toMatch(/no core\.wasm/);
});

it("a tarball that lacks what must be in it is refused by its name", () => {
  const inTar = listing.map((name) => `package/${name}`);
  expect(tarballProblem(inTar.join("\n"))).toBe(null);
  for (const lost of inTar)
    expect(tarballProblem(inTar.filter((name) => name !== lost).join("\n"))).toContain(lost.slice("package/".length));
});

it("a version that the changes do not tell of is refused, one that only begins like a told one too", () => {
  expect(changesProblem("# Changes\n\n## 1.2.0 (2026-11-23)\n", "1.2.0")).toBe(null);
  expect(changesProblem("## Unreleased\n", "1.2.0")).toBe(null);
  expect(changesProblem("## 1.2.0\n", "1.2")).toMatch(/nothing of 1\.2/);
  expect(changesProblem("we speak of ## 1.2.0 here\n", "1.2.0")).toMatch(/nothing of 1\.2\.0/);
});
