/** Whether what ships may stand wherever the face stands: writes a comparison of the two, module against module, and lets the compiler judge it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { projectRoot, runNode } from "../../scripts/run.mjs";

export const faceText: string = readFileSync(join(projectRoot, "test/types/face.d.ts"), "utf8");

interface FaceExports {
  /** Type names with the parameters that each takes. */
  readonly types: readonly { readonly name: string; readonly parameterCount: number }[];
  readonly errors: readonly string[];
  readonly values: readonly string[];
}

export function faceExports(text: string): FaceExports {
  const file = ts.createSourceFile("face.d.ts", text, ts.ScriptTarget.ES2022, true);
  const types: { name: string; parameterCount: number }[] = [];
  const errors: string[] = [];
  const values = new Set<string>();
  for (const statement of file.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      types.push({ name: statement.name.text, parameterCount: statement.typeParameters?.length ?? 0 });
    } else if (ts.isClassDeclaration(statement) && statement.name) {
      types.push({ name: statement.name.text, parameterCount: 0 });
      errors.push(statement.name.text);
    } else if (ts.isFunctionDeclaration(statement) && statement.name) {
      values.add(statement.name.text);
    } else if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) if (ts.isIdentifier(name)) values.add(name.text);
    }
  }
  return { types, errors, values: [...values] };
}

/**
 * The compiler's complaints about each face given, in order. The shipped StorageDriver takes the place of the face's, as the face's
 * head says; errors are compared as instances, and must be classes.
 */
export async function compareWithFaces(faces: readonly string[]): Promise<string[]> {
  mkdirSync(join(projectRoot, "build"), { recursive: true });
  const folder = mkdtempSync(join(projectRoot, "build/face-"));
  try {
    faces.forEach((text, index) => {
      const driver = /^export interface StorageDriver \{.*\}$/m;
      if (!driver.test(text)) throw new Error("the face has no StorageDriver in one line to put the shipped one in the place of");
      writeFileSync(
        join(folder, `face-${index}.d.ts`),
        text.replace(driver, `import type { StorageDriver } from "../../src/index.ts";\nexport type { StorageDriver };`),
      );
      writeFileSync(join(folder, `compare-${index}.ts`), comparison(faceExports(text), `./face-${index}.js`));
    });
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"], exclude: ["../../node_modules"] }),
    );
    const { output } = await runNode(join(projectRoot, "node_modules/ts7/bin/tsc"), ["-p", folder, "--pretty", "false"], { cwd: folder });
    const complaints = output.split(/\n(?=\S)/).filter((line) => line.includes("error TS"));
    return faces.map((_, index) => complaints.filter((line) => line.includes(`-${index}.`)).join("\n"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function comparison({ types, errors, values }: FaceExports, face: string): string {
  const lines = [
    `/// <reference lib="esnext.disposable" />`,
    `import type * as Face from "${face}";`,
    `import type * as Ours from "../../src/index.ts";`,
    `type Fits<Wanted, _Given extends Wanted> = true;`,
    `export type Values = Fits<Pick<typeof Face, ${values.map((name) => `"${name}"`).join(" | ")}>, typeof Ours>;`,
  ];
  for (const { name, parameterCount } of types) {
    const parameters = Array.from({ length: parameterCount }, (_, index) => `P${index}`);
    const given = parameterCount === 0 ? "" : `<${samples(name, parameterCount).join(", ")}>`;
    lines.push(`export type ${name}Fits = Fits<Face.${name}${given}, Ours.${name}${given}>; // ${parameters.join()}`);
  }
  for (const name of errors)
    lines.push(`export type ${name}IsClass = Fits<abstract new (...args: never) => Face.${name}, typeof Ours.${name}>;`);
  return `${lines.join("\n")}\n`;
}

/** Arguments for a type's parameters: two types that differ, so that swapped parameters are seen; acks where acks are wanted. */
function samples(name: string, parameterCount: number): readonly string[] {
  const acks: Readonly<Record<string, readonly string[]>> = {
    RecordMetadata: [`"all"`],
    ProducerOptions: ["Date", "RegExp", `"all"`],
    Sender: ["Date", "RegExp", "1"],
    Producer: ["Date", "RegExp", "0"],
    Transaction: ["Date", "RegExp", `"all"`],
  };
  return acks[name] ?? ["Date", "RegExp"].slice(0, parameterCount);
}
