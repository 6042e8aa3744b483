/** A topic's durability has changed: what the log needs to have done before a batch is written under the new one. */
import type { OpenedLog } from "../opening/opened-log.ts";

/**
 * All that was written is durable. `save` makes the state durable, which says it before a batch is written: a torn end is judged by it, whatever
 * the settings are by then.
 */
export async function beginDurability(log: OpenedLog, save: () => Promise<void>): Promise<void> {
  const { durability, preallocate } = log.spec.config();
  const { active } = log.segments;
  // Who follows an "os" log tells by its length that it has grown.
  if (durability === "os" && !preallocate && active.cutUnwritten(active.openFiles)) active.unflushed = true;
  const before = log.writtenAs;
  log.writtenAs = durability;
  try {
    await save();
  } catch (error) {
    log.writtenAs = before;
    throw error;
  }
}
