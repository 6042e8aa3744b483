import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../scripts/checks/source.mjs";
import { Sample } from "./sample.ts";

type Offender = readonly [sentence: string, file: string, text: string, complaint: string];

// Put together here, so that this file does not offend.
const home = ["", "home", "kafka"].join("/");
const host = ["registry", "npmjs", "org"].join(".");

const offenders: readonly Offender[] = [
  ["await at the top of a module", "src/log/await.ts", "/** x. */\nawait Promise.resolve();\n", ":2: await at the top"],
  ["for await at the top of a module", "src/log/for.ts", "/** x. */\nfor await (const x of []) void x;\n", ":2: await at the top"],
  ["await in a block at the top", "src/log/block.ts", "/** x. */\nif (true) {\n  await Promise.resolve();\n}\n", ":3: await at the top"],
  ["await using at the top", "src/log/using.ts", "/** x. */\nawait using x = null;\n", ":2: await at the top"],
  ["a file that does not say which noun it is", "src/log/noun.ts", "export const x = 1;\n", "does not begin with a /** sentence"],
  ["a value in api", "src/api/value.ts", "/** x. */\nexport const x = 1;\n", ":2: api holds types alone"],
  ["a class in api", "src/api/class.ts", "/** x. */\nexport class X {}\n", ":2: api holds types alone"],
  ["a value through api", "src/api/through.ts", `/** x. */\nexport { Engine } from "../engine/engine.ts";\n`, ":2: api holds types alone"],
  ["a path of one machine", "docs/path.md", `Look into ${home}/data.\n`, `:1: "${home}" belongs to one machine`],
  ["a registry's host", "test/host.ts", `export const host = "https://${host}/x";\n`, "belongs to one machine"],
  [
    "a lock that npm ci refuses",
    "bench/package-lock.json",
    '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-win32": "1.0.0" } } } }\n',
    "node_modules/a may need a-win32, which is not locked",
  ],
  ["a lock file that names a host", "package-lock.json", `{ "resolved": "https://${host}/x" }\n`, "names a registry's host"],
];

describe("the source check", () => {
  let sample: Sample;
  beforeAll(() => {
    sample = new Sample();
  });
  afterAll(() => sample.remove());

  it("is content with clean sources, await inside functions included", () => {
    sample.write("src/log/inside.ts", "/** x. */\nexport async function f(): Promise<void> {\n  for await (const x of []) await x;\n}\n");
    expect(check(sample.root)).toMatchObject({ problems: [], notes: [] });
  });

  it("names a file longer than a noun, without refusing it", () => {
    sample.write("src/log/long.ts", `/** x. */\n${"export {};\n".repeat(400)}`);
    const { problems, notes } = check(sample.root);
    expect(problems).toEqual([]);
    expect(notes).toEqual(["src/log/long.ts has 401 lines: is it still one noun?"]);
  });

  describe("turns red for", () => {
    let problems: readonly string[];
    beforeAll(() => {
      const planted = new Sample();
      for (const [, file, text] of offenders) planted.write(file, text);
      ({ problems } = check(planted.root));
      planted.remove();
    });
    for (const [sentence, file, , complaint] of offenders) {
      it(sentence, () => {
        expect(problems.filter((problem) => problem.startsWith(`${file}:`)).join("\n")).toContain(complaint);
      });
    }
  });
});
