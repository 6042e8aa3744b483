/** What a test that bundles our code for a child process adds while coverage is measured, so that what runs there is counted too; else nothing. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** Given by scripts/coverage.mjs, which reads what is left there: the bundles, their maps, and what node counted. */
const folder = process.env.ODRADEK_CHILD_COVERAGE;

/** Whether bundles are still needed when their test is over. */
export const isKept: boolean = folder !== undefined;

/** Where a folder for a bundle is made. */
export function parentOf(usual: string): string {
  if (folder === undefined) return usual;
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** For esbuild. The map stands apart, since node would copy it into what each process leaves. */
export const mapped: { readonly sourcemap?: "external"; readonly sourcesContent?: false } =
  folder === undefined ? {} : { sourcemap: "external", sourcesContent: false };

/** For the child's environment. */
export const counted: { readonly NODE_V8_COVERAGE?: string } = folder === undefined ? {} : { NODE_V8_COVERAGE: join(folder, "counts") };
