/** How a tab opens the log that the tabs of its origin share: the types alone, so that the package's declarations end here. */
import type { Odradek, OpenOptions } from "./api/odradek.ts";
import type { OpfsOptions } from "./storage/opfs.ts";

/** The options of `open` that have a meaning in a tab, and those of the driver. */
export type TabOptions = Omit<OpenOptions, "storage" | "attach" | "readOnly" | "lock" | "allowNetworkFileSystem"> & OpfsOptions;

/**
 * The log `name` of this origin, for a tab's dedicated worker. The first worker to come has the log; the others are attached to it, with
 * the same face, and when it goes (closed, crashed, navigated away) one of them takes the log within milliseconds and the others go on
 * through that. Rejects with `DIRECTORY_IN_USE` where a tab has the log that lets nobody attach, or hangs.
 */
export type OpenTab = (name: string, options?: TabOptions) => Promise<Odradek>;
