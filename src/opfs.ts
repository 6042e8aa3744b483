/**
 * `odradek/opfs`: the log in a browser's origin private file system, for a dedicated worker: `openTab("app")`, which tabs share, or
 * `open({ storage: opfs("app") })`, which has it alone.
 */
import type { OpenTab } from "./open-tab.ts";
import { portablePlatform } from "./portable.ts";
import { openTabOn } from "./tabs.ts";

export type { OpenTab, TabOptions } from "./open-tab.ts";
export { type OpfsOptions, opfs } from "./storage/opfs.ts";
export { keepStorage, type StorageKeeping } from "./storage/opfs-keep.ts";

/** The log that the tabs of this origin share. See `OpenTab`. */
export const openTab: OpenTab = /* @__PURE__ */ openTabOn(/* @__PURE__ */ portablePlatform(undefined));
