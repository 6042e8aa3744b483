/** Renaming on Windows, where a virus scanner or indexer that looks at a file keeps it from being renamed for a while. */
import { errnoOf } from "./errno.ts";

/** About ten seconds in all, in ever longer steps. */
const TRIES_MAX = 24;
const FIRST_DELAY_MS = 5;
const DELAY_MS_MAX = 500;

/** Renames, and on Windows again while the refusal is of the kind that passes. Elsewhere such a refusal is meant. */
export async function renamePatiently(
  rename: () => Promise<void>,
  platform: string,
  sleep: (delayMs: number) => Promise<void>,
): Promise<void> {
  for (let tries = 1, delayMs = FIRST_DELAY_MS; ; tries++, delayMs = Math.min(delayMs * 2, DELAY_MS_MAX)) {
    try {
      await rename();
      return;
    } catch (error) {
      const errno = errnoOf(error);
      const passing = errno === "EPERM" || errno === "EBUSY" || errno === "EACCES";
      if (platform !== "win32" || !passing || tries >= TRIES_MAX) throw error;
    }
    await sleep(delayMs);
  }
}
