/** Makes segments durable: what was written to their logs, and the names of those that are new. */

import type { Segment } from "../segment/segment.ts";
import type { OpenedLog } from "./opened-log.ts";

/** Both and all between them: an acknowledgement in the last one says that the earlier ones are durable. */
export function syncSegments(log: OpenedLog, first: Segment, last: Segment): Promise<void> {
  // Nearly always it is one, whose name is durable: then nobody waits for promises of promises.
  return (first === last && !first.directoryUnflushed ? flushed(first) : undefined) ?? syncAll(log, first, last);
}

/** undefined: nothing was written to it since its last flush. */
function flushed(segment: Segment): Promise<void> | undefined {
  if (!segment.unflushed) return undefined;
  segment.unflushed = false;
  return segment.files?.log.sync();
}

async function syncAll({ context, segments, spec }: OpenedLog, first: Segment, last: Segment): Promise<void> {
  const covered = segments.from(first).filter((segment) => segment.baseOffset <= last.baseOffset);
  const newlyMade = covered.filter((segment) => segment.directoryUnflushed);
  const syncs = covered.map(flushed);
  if (newlyMade.length > 0) syncs.push(context.storage.syncDirectory(spec.directory));
  await all(syncs);
  for (const segment of newlyMade) segment.directoryUnflushed = false;
}

/** Waits for all of them, then throws the first failure: no flush is left in flight behind an error. */
async function all(works: readonly (Promise<void> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
