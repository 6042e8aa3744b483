/** Odradek in a browser, and wherever nothing else is known: storage is given, the core comes inline. */
import { type Open, openOn } from "./open.ts";
import { portablePlatform } from "./portable.ts";

export * from "./entry.ts";

export const open: Open = openOn(portablePlatform(undefined));
