/** Whether the browser keeps what this origin stores: the answer to a question that every log in a browser depends on. */
import { webScope } from "./opfs-web.ts";

/** What the browser says of this origin's storage. */
export interface StorageKeeping {
  /** false: the browser may remove everything this origin stored when it is short of room, or the user has not come for long. */
  readonly persisted: boolean;
  readonly usageByteLength: number;
  readonly quotaByteLength: number;
}

/**
 * Asks the browser to keep this origin's storage, and tells what it answered. To be called from a page, where alone browsers may be asked
 * (some ask the user, so a moment that explains itself is a good one); in a worker it only tells how things stand.
 */
export async function keepStorage(): Promise<StorageKeeping> {
  const storage = webScope().navigator?.storage;
  const persisted = (await storage?.persisted?.()) === true || (await storage?.persist?.()) === true;
  const { usage = 0, quota = 0 } = (await storage?.estimate?.()) ?? {};
  return { persisted, usageByteLength: usage, quotaByteLength: quota };
}
