/** A fenced block of a page, and what stands about it in the comment above. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "../../scripts/files.mjs";
import { projectRoot } from "../../scripts/run.mjs";

export interface Fenced {
  /** `docs/KAFKA.md:40`: where its first line is. */
  readonly place: string;
  readonly page: string;
  readonly language: string;
  readonly text: string;
  /** What a comment directly above says of it: `not run: REASON`, `stands in: FILE`, `run by: FILE`. Empty: nothing. */
  readonly marker: string;
}

/** Every page a stranger may copy from. */
export function pages(): string[] {
  const top = ["README.md", "SECURITY.md", "CHANGELOG.md"];
  return [...top, ...filesUnder(projectRoot, "docs", [".md"]), ...filesUnder(projectRoot, "examples", [".md"])];
}

export function fencedIn(page: string, text: string = readFileSync(join(projectRoot, page), "utf8")): Fenced[] {
  const found: Fenced[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const fence = /^\s*```(\w*)$/.exec(lines[at] as string);
    if (fence === null) continue;
    const end = lines.findIndex((line, index) => index > at && /^\s*```$/.test(line));
    if (end < 0) throw new Error(`${page}:${at + 1}: a fence that nothing ends`);
    const marker = /^<!-- (.*) -->$/.exec(lines[at - 1] ?? "")?.[1] ?? "";
    found.push({ place: `${page}:${at + 1}`, page, language: fence[1] as string, text: lines.slice(at + 1, end).join("\n"), marker });
    at = end;
  }
  return found;
}
