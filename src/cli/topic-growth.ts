/** Waits until a topic's files have grown: how a reader that holds no lock learns that another process has written. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parsePartitionDirectoryName, parseSegmentFileName } from "../log/files/file-names.ts";
import { directoryOf } from "./directory.ts";
import type { CommandOptions, Io } from "./io.ts";

const POLL_MS = 100;
/** Opening a large log takes its time: it is done again after so many times as long, at the soonest. */
const REST_FACTOR = 4;
const REST_MS_MAX = 5000;

/** Resolves when there is more than there was when it was called, or at the polite stop. `openMs`: what looking costs. */
export async function waitForGrowth(topic: string, options: CommandOptions, io: Io, openMs: number): Promise<void> {
  const directory = directoryOf(options, io);
  const before = await sizesOf(directory, topic);
  let restMs = Math.min(REST_MS_MAX, openMs * REST_FACTOR);
  do {
    try {
      await sleep(Math.max(POLL_MS, restMs), undefined, { signal: io.signal });
    } catch {
      return;
    }
    restMs = 0;
  } while ((await sizesOf(directory, topic)) === before);
}

async function sizesOf(directory: string, topic: string): Promise<string> {
  const sizes: string[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const parsed = parsePartitionDirectoryName(name);
    if (parsed === null || parsed.topic !== topic || parsed.suffix !== "") continue;
    for (const file of await readdir(join(directory, name)).catch(() => [])) {
      if (parseSegmentFileName(file)?.kind !== "log") continue;
      // A segment may be retained away between the two calls.
      const facts = await stat(join(directory, name, file)).catch(() => null);
      if (facts !== null) sizes.push(`${name}/${file} ${facts.size}`);
    }
  }
  return sizes.sort().join("\n");
}
