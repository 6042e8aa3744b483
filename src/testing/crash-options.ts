/** What kind of disk a simulated one is. */
import type { Clock } from "../base/clock.ts";

/** What kind of disk it is. */
export interface CrashStorageOptions {
  readonly clock?: Clock;
  /** What a disk writes whole. 512 unless said; smaller gives more ways to tear a small write. */
  readonly sectorByteLength?: number;
  /** What a file is given at a time: where nothing of it came to the disk, all of it reads as what stood there before. A sector unless given. */
  readonly blockByteLength?: number;
  /** How far ahead of what is written it says that a file is best made long. 0 unless given. */
  readonly aheadByteLength?: number;
  /** Awaited within each asynchronous call, before it takes effect: where other work may come between. Nothing unless given. */
  readonly latency?: (call: "sync" | "syncDirectory" | "open" | "close" | "entry") => Promise<void>;
  /** Whether a sector that a file gave back may be read again in another one, where bytes never came to the disk. All may unless given. */
  readonly mayReturn?: (sector: Uint8Array) => boolean;
}
