/** Which of a simulated disk's flushes fail, and how: as those of real file systems were seen to. */
import { errnoError } from "../storage/errno.ts";
import type { SimNode } from "./sim-directory.ts";

/**
 * What a failed flush leaves behind (measured by others, see the ATC'20 paper on fsync failures).
 * "ext4": an error, the pages keep the new bytes but count as clean: reads see them, no later flush writes them.
 * "ext4-late": the same, but this flush reports success and the next one the error.
 * "xfs": as "ext4", and the file system shuts down: every later change and flush fails.
 * "btrfs": an error, and reads see the old bytes again.
 * Names go through the journal: when a directory cannot be flushed all four refuse every change from then on.
 */
export type SyncFailure = "ext4" | "ext4-late" | "xfs" | "btrfs";

export class SyncFailures {
  readonly #planned: { readonly pattern: RegExp; readonly failure: SyncFailure; times: number }[] = [];
  readonly #late = new Set<SimNode>();
  /** The file system has shut down for changes. */
  isShutDown = false;

  plan(pattern: RegExp, failure: SyncFailure, times: number): void {
    this.#planned.push({ pattern, failure, times });
  }

  /** A flush of `node`, of what was changed up to `time`. `name` is what plans are held against. Throws what the caller is told. */
  flush(node: SimNode, time: number, call: string, name: string): void {
    if (this.#late.delete(node)) throw errnoError("EIO", call, name);
    const planned = this.#planned.find(({ times, pattern }) => times > 0 && pattern.test(name));
    if (planned === undefined) {
      node.flush(time);
      return;
    }
    planned.times--;
    const { failure } = planned;
    if (failure === "btrfs" && node.kind === "file") node.revertChanges();
    else node.loseChanges(time);
    if (failure === "xfs" || node.kind === "directory") this.isShutDown = true;
    if (failure !== "ext4-late" || node.kind === "directory") throw errnoError("EIO", call, name);
    this.#late.add(node);
  }
}
