/**
 * The control of every catch: the same test, or the same trial, without the plant. A catcher that is red by itself has caught nothing.
 * What a control said is kept as long as no source, test or script changes, so that many catches by one test need one control.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "../../../scripts/files.mjs";

export interface Verdict {
  readonly isGreen: boolean;
  /** It was run to its end, whatever came of it. */
  readonly isDone: boolean;
  /** What was red, or why nothing was run. */
  readonly how: string;
}

const FOLDERS: readonly string[] = ["src", "assembly", "test", "scripts"];
const FILES: readonly string[] = ["package-lock.json", "vitest.config.ts", "asconfig.json"];
const KEPT = "build/zoo/controls";

/** What `run` says of the catcher that `what` names, or what it said before in the same tree. `root`: of the project. */
export async function controlled(root: string, what: readonly string[], run: () => Promise<Verdict>): Promise<Verdict> {
  const tree = hashOfTree(root);
  const file = join(root, KEPT, tree, `${hashOf(JSON.stringify(what))}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Verdict;
  const verdict = await run();
  // What came to no end, or ran nothing, may do better when the machine has less to do.
  if (!verdict.isGreen && !verdict.isDone) return verdict;
  makeFolder(root, tree);
  // Others do the same at this moment: each puts a whole file in place.
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify({ ...verdict, what }));
  renameSync(temporary, file);
  return verdict;
}

/** With it go those of other trees. */
function makeFolder(root: string, tree: string): void {
  const kept = join(root, KEPT);
  if (existsSync(join(kept, tree))) return;
  mkdirSync(join(kept, tree), { recursive: true });
  for (const name of readdirSync(kept)) if (name !== tree) rmSync(join(kept, name), { recursive: true, force: true });
}

/** Everything that decides what a test or a trial says. */
function hashOfTree(root: string): string {
  const hash = createHash("sha256").update(process.version);
  const names = [...FOLDERS.flatMap((folder) => filesUnder(root, folder)), ...FILES];
  for (const name of names) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  return hash.digest("hex").slice(0, 16);
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
