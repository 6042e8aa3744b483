/** Waiting for a broker's own cleaner. */
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { logFiles } from "./partition-files.ts";

const patienceMs = 60_000;

/** Resolves when the cleaner's checkpoint stands at the active segment of each partition: then nothing is left that it might clean. */
export async function cleaned(directory: string, partitions: readonly string[]): Promise<void> {
  const end = Date.now() + patienceMs;
  const checkpoint = join(directory, "cleaner-offset-checkpoint");
  for (const name of partitions) {
    const place = name.replace(/-(\d+)$/, " $1");
    for (;;) {
      const active = Number(basename(logFiles(join(directory, name)).at(-1) as string, ".log"));
      const lines = existsSync(checkpoint) ? readFileSync(checkpoint, "utf8").split("\n") : [];
      if (active > 0 && lines.includes(`${place} ${active}`)) break;
      if (Date.now() > end) throw new Error(`the broker's cleaner did not get to ${active} of ${name} in ${patienceMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
