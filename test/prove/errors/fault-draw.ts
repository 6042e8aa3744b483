/** Draws faults: the first at a given call, those that follow it anywhere; each with an errno, a length, and how long it stays. */
import type { CrashStorage, SyncFailure } from "../../../src/testing/crash-storage.ts";
import { type Fault, STORAGE_CALLS, type StorageCall } from "../../../src/testing/faulty-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { ERRNOS, MAY_BE_DONE } from "./errnos.ts";

/** None, one, or all but one. A read of nothing says that the file ends there: what looks like damage then must destroy nothing. */
const LENGTHS: readonly Pick<Fault, "atMost" | "shortBy">[] = [{ atMost: 0 }, { atMost: 1 }, { shortBy: 1 }];

/** How many calls of each kind a quiet day makes. */
export type CallCounts = ReadonlyMap<StorageCall, number>;

/** A call of a quiet day: the n-th of its kind, from 1. */
export interface CallPlace {
  readonly call: StorageCall;
  readonly nth: number;
}

export const FAULTS_PER_HOUR_MAX = 3;
/** Where nothing is ever met: after the last hour that a quiet day has. */
export const NOWHERE: readonly CallPlace[] = [{ call: "lock", nth: 1 }];

/** Every call of a quiet day, kind after kind. */
export function placesOf(counts: CallCounts): CallPlace[] {
  return STORAGE_CALLS.flatMap((call) => Array.from({ length: counts.get(call) ?? 0 }, (_, index) => ({ call, nth: index + 1 })));
}

/**
 * `disk`: the one below, which fails a flush in the way of a file system. `failures`: those ways. On an "os" topic what was acknowledged
 * may stand in the cache alone, and be taken from there by a file system that goes back to what is durable.
 */
export function drawFault(random: SeededRandom, { call, nth }: CallPlace, disk: CrashStorage, failures: readonly SyncFailure[]): Fault {
  const times = random.pick([1, 1, 1, random.integer(2, 6), Number.POSITIVE_INFINITY]);
  const where = { call, nth, times };
  const errno = random.pick(ERRNOS[call]);
  if ((call === "writeAt" || call === "readAt") && random.chance(0.4)) {
    const length = random.pick(LENGTHS);
    // A system that says nothing has taken what it says; the call after tells what the matter is.
    return random.chance(0.5) ? { ...where, ...length } : { ...where, ...length, errno };
  }
  if (call === "sync" && random.chance(0.6)) {
    const onMeet = (name: string): void => disk.failSyncs(new RegExp(`^${escaped(name)}$`), random.pick(failures));
    return { ...where, errno, afterEffect: true, onMeet };
  }
  return MAY_BE_DONE.has(call) && random.chance(call === "writeAt" ? 0.5 : 0.25)
    ? { ...where, errno, afterEffect: true }
    : { ...where, errno };
}

export function sayFault({ call, nth, times, errno, atMost, shortBy, afterEffect, onMeet }: Fault): string {
  const how = [errno, atMost === undefined ? null : `at most ${atMost} bytes`, shortBy === undefined ? null : `${shortBy} byte fewer`];
  const said = how.filter((each) => each != null).join(", ");
  const done = onMeet !== undefined ? ", what was not flushed is lost" : afterEffect === true ? ", after its work" : "";
  const often = times === Number.POSITIVE_INFINITY ? "for ever" : times === 1 ? "once" : `${times} times`;
  return `${String(call)} ${nth}: ${said}${done}, ${often}`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
