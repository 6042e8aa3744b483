import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../scripts/checks/layers.mjs";
import { complaints, Sample } from "./sample.ts";

type Offender = readonly [sentence: string, file: string, text: string, complaint: string];

/** All planted at once, each in a file of its own: one cruise judges them. */
const offenders: readonly Offender[] = [
  ["an import that looks up", "src/log/up.ts", `import "../engine/engine.ts";`, "src/engine/engine.ts: layer-log"],
  ["a type that looks up", "src/log/type.ts", `export type { Engine } from "../engine/engine.ts";`, "src/engine/engine.ts: layer-log"],
  ["a look at a folder on the same line", "src/core/side.ts", `import "../storage/memory.ts";`, "src/storage/memory.ts: layer-core"],
  ["a producer that sees the engine", "src/producer/a.ts", `export type { Engine } from "../engine/engine.ts";`, "layer-producer"],
  ["a producer that sees the log", "src/producer/b.ts", `import "../log/segment.ts";`, "layer-producer"],
  ["a consumer that sees the producer", "src/consumer/a.ts", `import "../producer/producer.ts";`, "layer-consumer"],
  ["testing that sees the log", "src/testing/deep.ts", `import "../log/segment.ts";`, "layer-testing"],
  ["an engine that needs testing", "src/engine/fake.ts", `import "../testing/index.ts";`, "layer-engine"],
  ["base that sees the core", "src/base/up.ts", `import "../core/core.ts";`, "layer-base"],
  ["api that sees base", "src/api/up.ts", `export type { later } from "../base/clock.ts";`, "layer-api"],
  ["the door that sees the command line", "src/door.ts", `import "./cli.ts";`, "layer-index"],
  ["a room of the log that looks up", "src/log/files/up.ts", `import "../segment.ts";`, "src/log/segment.ts: room-files"],
  ["rooms on one line", "src/log/survey/side.ts", `import "../compaction/side.ts";`, "src/log/compaction/side.ts: room-survey"],
  ["node:fs outside its places", "src/log/disk.ts", `import "node:fs";`, "node-only-where-allowed"],
  ["a builtin without its prefix", "src/log/path.ts", `import "path";`, "node-only-where-allowed"],
  ["a package", "src/log/lib.ts", `import "esbuild";`, "no-packages"],
  ["a vendored bundle in other hands", "src/log/words.ts", `import "../vendor/cli.js";`, "vendor-cli"],
  ["an import that leads nowhere", "src/log/gone.ts", `import "./nothing.ts";`, "./nothing.ts: resolves"],
  [
    "one of two modules that need each other",
    "src/log/a.ts",
    `import { b } from "./b.ts";\nexport const a = (): unknown => b;`,
    "no-circle",
  ],
];

describe("the layer check", () => {
  let sample: Sample;
  beforeAll(() => {
    sample = new Sample();
  });
  afterAll(() => sample.remove());

  it("is content with imports that look down, and says how many modules it cruised", async () => {
    const { problems, saw } = await check(sample.root);
    expect(problems).toEqual([]);
    expect(saw).toMatch(/^\d+ modules/);
  });

  describe("turns red for", () => {
    let problems: readonly string[];
    beforeAll(async () => {
      const planted = new Sample();
      for (const [, file, text] of offenders) planted.write(file, `${text}\n`);
      planted.write("src/log/compaction/side.ts", "export {};\n");
      planted.write("src/vendor/cli.js", "export {};\n");
      planted.write("src/log/b.ts", `import { a } from "./a.ts";\nexport const b = (): unknown => a;\n`);
      ({ problems } = await check(planted.root));
      planted.remove();
    });
    for (const [sentence, file, , complaint] of offenders) {
      it(sentence, () => {
        const said = problems.filter((problem) => problem.startsWith(`${file} -> `));
        expect(said.join("\n")).toContain(complaint);
      });
    }
    it("nothing else", () => {
      expect(new Set(problems.map((problem) => problem.split(" -> ")[0]))).toEqual(new Set(offenders.map(([, file]) => file)));
    });
  });

  it("turns red for a browser's entry that reaches a file of Node's", async () => {
    const result = await sample.with("src/index.browser.ts", `/** The door. */\nexport { openFile } from "./storage/node.ts";\n`, (root) =>
      check(root),
    );
    expect(complaints(result)).toMatch(/src\/index\.browser\.ts -> src\/storage\/node\.ts: portable-entries-stay-portable/);
  });

  it("turns red for a folder that no line names", async () => {
    const result = await sample.with("src/helpers/all.ts", "export const x = 1;\n", (root) => check(root));
    expect(complaints(result)).toContain('no line of scripts/layers.mjs names the folder "helpers" of src');
  });

  it("turns red for a room of the log that no line names", async () => {
    const result = await sample.with("src/log/attic/all.ts", "export const x = 1;\n", (root) => check(root));
    expect(complaints(result)).toContain('no line of scripts/layers.mjs names the room "attic" of src/log');
  });

  it("turns red when a module was not cruised", async () => {
    expect(complaints(await check(sample.root, ["--exclude", "^src/log"]))).toContain("src/log/segment.ts: not cruised");
  });

  it("turns red when nothing was cruised, as without a compiler that dependency-cruiser can use", async () => {
    const { problems } = await check(sample.root, ["--exclude", "\\.ts$"]);
    expect(problems.filter((problem) => problem.includes("not cruised"))).toHaveLength(18);
  });
});
