/** Every place in the sources that asks for a flush: what a promise may stand on. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface FlushSite {
  readonly file: string;
  /** In the file's text, of the call's name. */
  readonly at: number;
  /** The line, without white space around it. */
  readonly line: string;
}

const FOLDERS: readonly string[] = ["src/log", "src/engine", "src/topic", "src/group", "src/transaction", "src/storage"];
const CALL = /(?<!function )\b(?:sync|syncDirectory|datasync|flushDirectory|flush)\(|#syncDirectory\(/g;
/** Declarations, and calls that flush nothing: an index hands its entries to the system, a group's members synchronize. */
const NO_FLUSH: readonly RegExp[] = [
  /^(?:async )?#?(?:sync|syncDirectory|flush)\([^)]*\)(?::|\s*\{)/,
  /^sync: \(/,
  /^readonly /,
  /offsetIndex\??\.flush\(\)|timeIndex\??\.flush\(\)|#index\.flush\(\)/,
  /^this\.flush\(\);$/,
  /#calls\.sync\(member|\.sync\(request, signal\)/,
];

export function flushSites(root: string): FlushSite[] {
  const sites: FlushSite[] = [];
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).sort()) {
      if (!name.endsWith(".ts")) continue;
      const file = `${folder}/${name.replaceAll("\\", "/")}`;
      const text = readFileSync(join(root, file), "utf8");
      for (const { index } of text.matchAll(CALL)) {
        const from = text.lastIndexOf("\n", index) + 1;
        const line = text.slice(from, text.indexOf("\n", index)).trim();
        if (/^(?:\/\/|\/?\*)/.test(line) || NO_FLUSH.some((pattern) => pattern.test(line))) continue;
        sites.push({ file, at: index, line });
      }
    }
  }
  return sites;
}

/** What of the text a plant takes away or changes: what it leaves at both ends is as it was. */
export function changedRange(
  text: string,
  { find, replace }: { readonly find: string; readonly replace: string },
): [from: number, to: number] {
  const start = text.indexOf(find);
  const shortest = Math.min(find.length, replace.length);
  let before = 0;
  while (before < shortest && find[before] === replace[before]) before += 1;
  let behind = 0;
  while (behind < shortest - before && find[find.length - 1 - behind] === replace[replace.length - 1 - behind]) behind += 1;
  return [start + before, start + find.length - behind];
}
