import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judge } from "../../scripts/checks/package.mjs";
import { projectRoot } from "../../scripts/run.mjs";

interface Manifest {
  scripts: Record<string, string>;
  exports: Record<string, Record<string, string> | string>;
  [field: string]: unknown;
}

/** A built package under the real package.json, as small as it can be. */
class Built {
  readonly root: string = mkdtempSync(join(tmpdir(), "odradek-built-"));

  constructor() {
    for (const file of ["package.json", "LICENSE"]) cpSync(join(projectRoot, file), join(this.root, file));
    this.write("README.md", "# Odradek\n");
    this.write("CHANGELOG.md", "# Changelog\n");
    this.write("SECURITY.md", "# Security\n");
    for (const entry of ["index", "index.workerd", "index.edge", "index.browser", "opfs", "durable-object", "testing/index"]) {
      this.write(`dist/${entry}.js`, "export const answer = 42;\n");
      this.write(`dist/${entry}.d.ts`, "export declare const answer: number;\n");
    }
    this.write("dist/cli.js", "#!/usr/bin/env node\nexport {};\n");
    this.write("dist/core.wasm", "\0asm\u0001\0\0\0");
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  manifest(change: (manifest: Manifest) => void): void {
    const manifest = JSON.parse(readFileSync(join(this.root, "package.json"), "utf8")) as Manifest;
    change(manifest);
    this.write("package.json", JSON.stringify(manifest, null, 2));
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

type Offender = readonly [sentence: string, plant: (built: Built) => void, complaint: string | RegExp];

/** Planted together: the package still resolves, and each has a complaint of its own. */
const offenders: readonly Offender[] = [
  ["a runtime dependency", (b) => b.manifest((m) => (m.dependencies = { left: "1.0.0" })), "dependencies is not empty"],
  ["an install script", (b) => b.manifest((m) => (m.scripts.postinstall = "node x.js")), 'there is an install script "postinstall"'],
  ["a tool that is not pinned", (b) => b.manifest((m) => (m.devDependencies = { vitest: "^4.0.0" })), "vitest is not pinned"],
  ["side effects", (b) => b.manifest((m) => (m.sideEffects = true)), "sideEffects is not false"],
  ["a package that does not say where holes are told", (b) => rmSync(join(b.root, "SECURITY.md")), "the tarball lacks SECURITY.md"],
  ["a file nobody needs", plantSecret, "holds secret.txt"],
  ["a source map", (b) => b.write("dist/index.js.map", "{}"), "dist/index.js.map, which nobody reads"],
  [
    "other people's work without its licence",
    (b) => b.write("dist/vendor/lib.js", "export {};\n"),
    "ships without dist/vendor/lib.LICENSE",
  ],
  ["a core that is too large", (b) => b.write("dist/core.wasm", "x".repeat(40_000)), /dist\/core\.wasm is 39\.1 KiB/],
  ["a package that is too large", (b) => b.write("dist/large.js", `export const x = "${"x".repeat(1024 * 1024)}";\n`), /KiB installed/],
  ["await at the top of a module", (b) => b.write("dist/late.js", "await 1;\nexport {};\n"), "dist/late.js:1: await at the top"],
  ["an entry in many files", plantManyFiles, "dist/index.js loads 9 files; the bound is 8"],
  [
    "an import that prints",
    (b) => b.write("dist/testing/index.js", 'console.log("hi");\nexport const answer = 42;\n'),
    'import "odradek/testing" prints: hi',
  ],
  [
    "types that lean on the DOM",
    (b) => b.write("dist/index.d.ts", "export declare const answer: Blob;\n"),
    /a project with bare types, by ts7: .*Blob/,
  ],
  [
    "a browser entry with node:fs",
    (b) => b.write("dist/index.browser.js", 'export * from "node:fs";\n'),
    /a browser's bundler refuses it: [\s\S]*node:fs/,
  ],
  ["conditions in the wrong order", (b) => b.manifest(reverseConditions), /exports\["\."\] has the conditions types default/],
];

function plantSecret(built: Built): void {
  built.manifest((manifest) => {
    manifest.files = ["dist", "secret.txt"];
  });
  built.write("secret.txt", "x");
}

/** A chain, so that following it one step is not enough; what is loaded later does not count. */
function plantManyFiles(built: Built): void {
  for (let file = 1; file <= 8; file += 1)
    built.write(`dist/part${file}.js`, file === 8 ? "export {};\n" : `import "./part${file + 1}.js";\nexport {};\n`);
  built.write("dist/index.js", 'import "./part1.js";\nexport const answer = 42;\nexport const more = () => import("./later.js");\n');
  built.write("dist/later.js", "export {};\n");
}

function reverseConditions(manifest: Manifest): void {
  const { types, ...rest } = manifest.exports["."] as Record<string, string>;
  manifest.exports["."] = Object.fromEntries([["types", types as string], ...Object.entries(rest).reverse()]);
}

describe("the package check", () => {
  it("is content with a small sound package", async () => {
    const built = new Built();
    const { problems, saw } = await judge(built.root);
    built.remove();
    expect(problems).toEqual([]);
    expect(saw).toMatch(/^21 files/);
  });

  describe("turns red for", () => {
    let problems: readonly string[];
    beforeAll(async () => {
      const built = new Built();
      for (const [, plant] of offenders) plant(built);
      ({ problems } = await judge(built.root));
      built.remove();
    });
    for (const [sentence, , complaint] of offenders) {
      it(sentence, () => {
        const matches = problems.filter((problem) =>
          typeof complaint === "string" ? problem.includes(complaint) : complaint.test(problem),
        );
        expect(matches, problems.join("\n")).not.toEqual([]);
      });
    }
  });

  describe("turns red, by the tools' own words, for", () => {
    let built: Built;
    let said: string;
    beforeAll(async () => {
      built = new Built();
      built.manifest((manifest) => {
        manifest.exports["./testing"] = { types: "./dist/testing/nothing.d.ts", default: "./dist/testing/index.js" };
      });
      built.write("dist/index.browser.js", `export const answer = "${randomBytes(64 * 1024).toString("hex")}";\n`);
      said = (await judge(built.root)).problems.join("\n");
    });
    afterAll(() => built.remove());

    it("an exports map that leads nowhere, says publint", () => {
      expect(said).toMatch(/publint: .*nothing\.d\.ts/);
    });
    it("an entry without types, says are-the-types-wrong", () => {
      expect(said).toMatch(/are-the-types-wrong: [\s\S]*(?:No types|Resolution failed)/i);
    });
    it("a first bundle that is too large for a page", () => {
      expect(said).toMatch(/browsers, first bundle: \d+\.\d KiB gzipped; the bound is 60\.0 KiB/);
    });
    it("a file that package.json names and the tarball lacks", () => {
      expect(said).toContain("package.json names ./dist/testing/nothing.d.ts, which is not in the tarball");
    });
  });
});
