import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../scripts/checks/lint.mjs";
import { complaints, Sample } from "./sample.ts";

type Offender = readonly [sentence: string, file: string, text: string, rule: string];

const floating = `/** x. */\nimport { later } from "../base/clock.ts";\n\nexport function f(): void {\n  later(1);\n}\n`;
const floatingMethod = `/** x. */\nimport type { BrokerPort } from "../api/broker.ts";\n\nexport function f(port: BrokerPort): void {\n  port.produce(new Uint8Array(1));\n}\n`;

const misused = `/** x. */\nimport { later } from "../base/clock.ts";\n\nexport function f(): number {\n  return later(1) ? 1 : 2;\n}\n`;

const offenders: readonly Offender[] = [
  ["a floating promise", "src/log/floating.ts", floating, "noFloatingPromises"],
  ["a floating promise of a method behind an interface", "src/log/method.ts", floatingMethod, "noFloatingPromises"],
  ["a floating promise in a test", "test/log/floating.ts", floating.replace("../base", "../../src/base"), "noFloatingPromises"],
  ["a promise taken for a truth", "src/log/misused.ts", misused, "noMisusedPromises"],
  ["console.log in a source", "src/log/chatter.ts", `/** x. */\nconsole.log("hello");\n`, "noConsole"],
  ["a test that runs alone", "test/log/only.test.ts", `import { it } from "vitest";\n\nit.only("x", () => {});\n`, "noFocusedTests"],
  ["a test that does not run", "test/log/skip.test.ts", `import { it } from "vitest";\n\nit.skip("x", () => {});\n`, "noSkippedTests"],
  [
    "an unused import",
    "src/log/unused.ts",
    `/** x. */\nimport { later } from "../base/clock.ts";\n\nexport const x = 1;\n`,
    "noUnusedImports",
  ],
  [
    "a builtin without its prefix",
    "test/log/prefix.ts",
    `import { join } from "path";\n\nexport const x = join("a", "b");\n`,
    "useNodejsImportProtocol",
  ],
  ["bad form", "src/log/form.ts", `/** x. */\nexport const x = 'single';\n`, "format"],
  ["bad form in a script", "scripts/form.mjs", `export const x = 'single';\n`, "format"],
];

describe("the lint check", () => {
  let sample: Sample;
  beforeAll(() => {
    sample = new Sample();
  });
  afterAll(() => sample.remove());

  it("is content with clean sources, the command line's console included", async () => {
    const { problems, saw } = await check(sample.root);
    expect(problems).toEqual([]);
    expect(Number.parseInt(saw, 10)).toBeGreaterThanOrEqual(16);
  });

  describe("turns red for", () => {
    let said: string;
    beforeAll(async () => {
      const planted = new Sample();
      for (const [, file, text] of offenders) planted.write(file, text);
      said = complaints(await check(planted.root));
      planted.remove();
    });
    for (const [sentence, file, , rule] of offenders) {
      it(sentence, () => {
        // Biome heads each complaint with "file:line:column rule", or "file format".
        const heads = said.split("\n").filter((line) => line.startsWith(`${file}:`) || line.startsWith(`${file} `));
        expect(heads.join("\n")).toContain(rule);
      });
    }
  });

  it("turns red when Biome reads fewer files than src holds", async () => {
    const planted = new Sample();
    planted.write("biome.json", `{ "files": { "includes": ["src/api/**"] }, "formatter": { "enabled": false } }\n`);
    expect(complaints(await check(planted.root))).toMatch(/Biome read \d files; src alone holds 18/);
    planted.remove();
  });
});
