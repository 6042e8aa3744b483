/**
 * Opens the log of a partition that another process may be writing. What an opening takes for damage may be that process's work of the same moment: a segment
 * that is removed, or compacted, between two looks at the directory. So an opening is believed only when it found all in order, or when the directory was the
 * same behind it as before.
 */
import type { StorageDriver } from "../../api/storage-driver.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { openIfPresent } from "../files/replace-file.ts";
import type { SegmentList } from "../segment/segment-list.ts";
import { giveBack } from "./give-back.ts";
import { openLog } from "./open-log.ts";
import type { OpenedLog } from "./opened-log.ts";

/** A writer would have to get in between each time: a bound for one whose directory is never the same, not for one that works. */
const OPENINGS_MAX = 32;

type Told = Parameters<LogContext["emit"]>;

/** `isTold`: whether what the opening finds is heard, once it is believed; what is found later always is. Throws as `openLog`. */
export async function openSteadily(context: LogContext, spec: PartitionSpec, isTold: boolean): Promise<OpenedLog> {
  const { storage } = context;
  const { directory } = spec;
  for (let opening = 1; ; opening += 1) {
    const found: Told[] = [];
    let isBelieved = false;
    const emit = (...event: Told): void => void (isBelieved ? context.emit(...event) : found.push(event));
    const believe = (): void => {
      isBelieved = true;
      if (isTold) for (const event of found) context.emit(...event);
    };
    const isLast = opening === OPENINGS_MAX;
    const before = await namesIn(storage, directory);
    let log: OpenedLog;
    try {
      log = await openLog({ ...context, emit }, spec);
    } catch (error) {
      if (!isLast && (await namesIn(storage, directory)) !== before) continue;
      believe();
      throw error;
    }
    if (isLast || (await isSteady(log, found.length > 0, before))) {
      believe();
      return log;
    }
    await giveBack(log.segments.all(), log.state);
  }
}

/** Whether nothing says that the files were exchanged while they were looked at. `hasTold`: the opening found something amiss. */
async function isSteady(log: OpenedLog, hasTold: boolean, namesBefore: string): Promise<boolean> {
  const { context, spec, segments, endProblem, unreadableFrom } = log;
  const isAmiss = hasTold || endProblem !== null || unreadableFrom !== null;
  if (isAmiss && (await namesIn(context.storage, spec.directory)) !== namesBefore) return false;
  // Nothing is put in the place of a segment that is only ever deleted.
  return spec.config().cleanupPolicy === "delete" || !(await isReplaced(context.storage, segments));
}

/** Whether a sealed segment is no more, or not the file that it was: what is known of it is not of what a reader would find. */
export async function isReplaced(storage: StorageDriver, segments: SegmentList): Promise<boolean> {
  for (const { logName, byteLength } of segments.all().slice(0, -1)) {
    if ((await byteLengthOf(storage, logName)) !== byteLength) return true;
  }
  return false;
}

/** -1: there is no such file. */
export async function byteLengthOf(storage: StorageDriver, name: string): Promise<number> {
  const file = await openIfPresent(storage, name, { readOnly: true });
  const byteLength = file?.byteLength() ?? -1;
  await file?.close();
  return byteLength;
}

async function namesIn(storage: StorageDriver, directory: string): Promise<string> {
  const names = (await storage.list(directory)).map(({ name }) => name);
  return names.sort().join("/");
}
