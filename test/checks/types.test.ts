import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../scripts/checks/types.mjs";
import { complaints, Sample } from "./sample.ts";

type Offender = readonly [sentence: string, file: string, text: string, complaint: string];

const offenders: readonly Offender[] = [
  ["a wrong type", "src/log/wrong.ts", `export const offset: number = "0";`, "TS2322"],
  ["a wrong type in a test", "test/log/wrong.test.ts", `export const offset: number = "0";`, "TS2322"],
  ["a wrong type in a bench", "bench/wrong.ts", `export const offset: number = "0";`, "TS2322"],
  ["undefined for an optional property", "src/log/exact.ts", `export const a: { b?: number } = { b: undefined };`, "TS2375"],
  ["an index that may miss", "src/log/index-miss.ts", `export const first = (all: number[]): number => all[0];`, "TS2322"],
  ["an enum, which cannot be erased", "src/log/enum.ts", `export enum Codec {\n  none,\n}`, "TS1294"],
  ["an export whose type must be guessed", "src/log/guess.ts", `export const sum = () => [1, 2].reduce((a, b) => a + b);`, "TS9013"],
  [
    "a type imported as a value",
    "src/log/verbatim.ts",
    `import { BrokerPort } from "../api/broker.ts";\nexport type B = BrokerPort;`,
    "TS1484",
  ],
  ["an implicit any", "src/log/any.ts", `export function f(x): void {\n  x();\n}`, "TS7006"],
  [
    "an override that does not say so",
    "src/log/override.ts",
    `class A {\n  f(): void {}\n}\nexport class B extends A {\n  f(): void {}\n}`,
    "TS4114",
  ],
];

const buffer = `/** x. */\nexport function f(): number {\n  return Buffer.from("x").byteLength;\n}\n`;

describe("the type check", () => {
  let sample: Sample;
  beforeAll(() => {
    sample = new Sample();
  });
  afterAll(() => sample.remove());

  it("is content with types that hold", async () => {
    const { problems, saw } = await check(sample.root);
    expect(problems).toEqual([]);
    expect(saw).toBe("18 files");
  });

  describe("turns red for", () => {
    let problems: readonly string[];
    beforeAll(async () => {
      const planted = new Sample();
      for (const [, file, text] of offenders) planted.write(file, `${text}\n`);
      ({ problems } = await check(planted.root));
      planted.remove();
    });
    for (const [sentence, file, , complaint] of offenders) {
      it(sentence, () => {
        expect(problems.filter((problem) => problem.startsWith(`${file}(`)).join("\n")).toContain(complaint);
      });
    }
  });

  it("turns red for a global of Node's that a browser's entry reaches, and only there", async () => {
    expect(complaints(await sample.with("src/storage/node-buffer.ts", buffer, (root) => check(root)))).toBe("");
    const reached = await sample.with("src/index.browser.ts", buffer, (root) => check(root));
    expect(complaints(reached)).toMatch(/src\/index\.browser\.ts\(3,10\): error TS\d+: Cannot find name 'Buffer'/);
  });

  it("turns red for a source that no compiler read", async () => {
    const narrow = `{ "extends": "./tsconfig.json", "compilerOptions": { "noEmit": false }, "include": ["src/api"] }\n`;
    const planted = new Sample();
    planted.write("tsconfig.build.json", narrow);
    const all = `{ "compilerOptions": { "noEmit": true, "allowImportingTsExtensions": true, "module": "nodenext" }, "include": ["src/api"] }\n`;
    planted.write("tsconfig.json", all);
    expect(complaints(await check(planted.root))).toContain("src/producer/producer.ts: no compiler read it");
    planted.remove();
  });
});
