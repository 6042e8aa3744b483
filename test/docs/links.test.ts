/** A link within the pages leads to a file that is there, and to a heading that it has. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, it } from "vitest";
import { projectRoot } from "../../scripts/run.mjs";
import { pages } from "./fenced.ts";

/** As GitHub makes anchors of headings. */
function anchors(page: string): string[] {
  const headings = readFileSync(join(projectRoot, page), "utf8").match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

it("lead somewhere", () => {
  let count = 0;
  for (const page of pages()) {
    const text = readFileSync(join(projectRoot, page), "utf8").replace(/^```[^]*?^```$/gm, "");
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), path));
      expect(existsSync(join(projectRoot, target)), `${page}: ${link}`).toBe(true);
      if (anchor !== undefined) expect(anchors(target), `${page}: ${link}`).toContain(anchor);
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(40);
});
