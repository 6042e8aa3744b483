import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot, run } from "../../scripts/run.mjs";

/** Each of `met` runs in the test below, and each of `missed` does not. */
const SOURCE = `/** Handlers that run, and offenders. */
import { fail } from "./fails.ts";

export function met(): string {
  try {
    return fail();
  } catch (error) {
    return String(error);
  }
}

export function missed(isBad: boolean): string {
  try {
    if (isBad) throw new Error("never thrown");
    return "good";
  } catch (offender) {
    return String(offender);
  }
}

export async function rejections(call: () => Promise<string>): Promise<string> {
  const first = await Promise.reject(new Error("met")).catch(() => "caught");
  const second = await call().catch(() => {
    return "offending handler";
  });
  const third = await call().then((text) => text, () => "offending second");
  return first + second + third;
}

export function refusal(isBad: boolean): Promise<void> {
  if (isBad) return Promise.reject(new Error("offending rejection"));
  return Promise.resolve();
}

export function silent(): void {
  try {
    fail();
  } catch {
    // Nothing in here is counted: nobody could say that it ran.
  }
}
`;

const FAILS = `/** Fails. */\nexport function fail(): never {\n  throw new Error("met");\n}\n`;

const TEST = `import { expect, it } from "vitest";
import { met, missed, refusal, rejections, silent } from "../src/log/handlers.ts";

it("meets some", async () => {
  expect(met()).toBe("Error: met");
  expect(missed(false)).toBe("good");
  expect(await rejections(async () => "!")).toBe("caught!!");
  await refusal(false);
  silent();
});
`;

/** What is measured of a file: how often each of its branches, statements and functions ran. */
interface Counted {
  readonly path: string;
  readonly b: Record<string, number[]>;
  readonly s: Record<string, number>;
  readonly f: Record<string, number>;
}

describe("coverage", () => {
  let root: string;
  let first: { readonly code: number; readonly lines: readonly string[] };

  async function coverage(...args: readonly string[]): Promise<typeof first> {
    const { code, output } = await run(process.execPath, ["scripts/coverage.mjs", ...args], { cwd: root });
    return { code, lines: output.split("\n") };
  }

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "odradek-coverage-"));
    const files = {
      "src/log/handlers.ts": SOURCE,
      "src/log/fails.ts": FAILS,
      "src/storage/unseen.ts": `/** No test imports it. */\nexport function f(): never {\n  throw new Error("unseen");\n}\n`,
      "src/topic/half.ts": `/** Handlers of other folders are not asked. */\nexport function half(a: boolean): number {\n  if (a) return 1;\n  throw new Error("b");\n}\n`,
      "src/core/core-bytes.ts": `/** Generated. */\nexport const f = (a: boolean): number => (a ? 1 : 2);\n`,
      "test/handlers.test.ts": TEST,
      "package.json": `{ "type": "module" }`,
    };
    for (const part of [
      "vitest.config.ts",
      "test/same-seed.ts",
      "test/equal-bytes.ts",
      "test/cleaned-up.ts",
      "test/cleanups.ts",
      "scripts",
    ])
      cpSync(join(projectRoot, part), join(root, part), { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    writeFileSync(join(root, "scripts/build.mjs"), "// What is judged here needs no build.\n");
    symlinkSync(join(projectRoot, "node_modules"), join(root, "node_modules"));
    first = await coverage("--missed", "src/topic");
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("names each handler that never ran by its line, and each that nobody could tell", () => {
    const text = SOURCE.split("\n");
    const told = first.lines.flatMap((line) => {
      const [, file, number, , kind] = /^(src[^:]*):(\d+): (this|whether this) (.*?) (never ran|ran cannot be told)/.exec(line) ?? [];
      if (file === undefined) return [];
      return [file === "src/log/handlers.ts" ? `${kind}: ${text[Number(number) - 1]?.trim()}` : `${kind} of ${file}`];
    });
    expect(told).toEqual([
      'throw: if (isBad) throw new Error("never thrown");',
      "catch: } catch (offender) {",
      "handler of a rejection: const second = await call().catch(() => {",
      'handler of a rejection: const third = await call().then((text) => text, () => "offending second");',
      'rejection: if (isBad) return Promise.reject(new Error("offending rejection"));',
      "catch: } catch {",
      "throw of src/storage/unseen.ts",
    ]);
    expect(first.lines).toContain("error handlers of src/log and src/storage: 4 of 11 ran");
  });

  it("counts the branches of each folder that is written by hand, and names those that were never met", () => {
    expect(first.lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^src\/log +2 of +4 branches {2}50 %$/),
        expect.stringMatching(/^src\/topic +0 of +2 branches {2}0 %$/),
        expect.stringMatching(/^all +2 of +6 branches {2}33.3 %$/),
        "src/topic/half.ts:3: if 1 of 2: if (a) return 1;",
        expect.stringMatching(/^branches: 33\.3 % were met, \d\d % are asked for$/),
      ]),
    );
    expect(first.lines.some((line) => /src\/core/.test(line))).toBe(false);
  });

  it("is green when all was met, and red for one handler alone, for branches alone, and for nothing measured", async () => {
    expect(first.code).toBe(1);
    const measured = join(root, "build/coverage/coverage-final.json");
    const whole: Record<string, Counted> = JSON.parse(readFileSync(measured, "utf8"));
    const judged = async (): Promise<number> => {
      writeFileSync(measured, JSON.stringify(whole));
      return (await coverage("--again")).code;
    };
    for (const { b, s, f } of Object.values(whole)) {
      for (const counts of Object.values(b)) counts.fill(1);
      for (const counts of [s, f]) for (const id of Object.keys(counts)) counts[id] = 1;
    }
    // Without the one of which nobody could tell.
    writeFileSync(join(root, "src/log/handlers.ts"), SOURCE.slice(0, SOURCE.indexOf("export function silent")));
    expect(await judged()).toBe(0);
    for (const { s } of Object.values(whole).filter(({ path }) => path.endsWith("unseen.ts"))) s[0] = 0;
    expect(await judged()).toBe(1);
    for (const { b, s } of Object.values(whole)) {
      s[0] = 1;
      Object.values(b)[0]?.fill(0);
    }
    expect(await judged()).toBe(1);
    rmSync(measured);
    expect((await coverage("--again")).code).toBe(1);
  });
});
