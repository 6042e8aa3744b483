/** When a partition's written bytes are flushed without anyone waiting. Pure: `flushMessages`, `flushMs`, and our own piece. */
import type { TopicConfig } from "../../api/topic.ts";

/** The recovery point moves at least this often, so that an unclean open reads no more than this (C7). */
export const RECOVERY_POINT_INTERVAL_BYTES: number = 64 * 1024 * 1024;

/**
 * On an "os" topic a flush follows its writer in pieces of about this size. Nobody waits for it, but appends meet it: while a file system
 * gives a large piece its place on the disk, nothing else gets into the file, 20 ms for 64 MiB (docs/decisions/0010).
 */
export const FLUSH_BEHIND_BYTES: number = 4 * 1024 * 1024;

export interface UnflushedFacts {
  readonly byteLength: number;
  readonly recordCount: number;
  /** Since the oldest unflushed append. */
  readonly ageMs: number;
}

/** Whether a flush begins now. On a "sync" topic every append joins the next one. */
export function flushIsDue(unflushed: UnflushedFacts, config: Pick<TopicConfig, "durability" | "flushMessages" | "flushMs">): boolean {
  if (unflushed.byteLength === 0) return false;
  if (config.durability === "sync") return true;
  return unflushed.recordCount >= config.flushMessages || unflushed.ageMs >= config.flushMs || unflushed.byteLength >= FLUSH_BEHIND_BYTES;
}
