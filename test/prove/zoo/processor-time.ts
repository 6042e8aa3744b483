/** The processor time of children: what a budget is held against, since the machine may have other things to do. */
import { readFileSync } from "node:fs";

/** A tick of Linux's /proc, as every machine of today has it. */
const TICK_MS = 10;
/** In /proc/self/stat, counted behind the name in brackets: user and system time of children that have ended, theirs included. */
const CHILDREN_USER_AT = 13;
const CHILDREN_SYSTEM_AT = 14;

/** Of all children of this process that have ended, in milliseconds; null where the system does not say. */
export function childrenProcessorMs(): number | null {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return TICK_MS * (Number(fields[CHILDREN_USER_AT]) + Number(fields[CHILDREN_SYSTEM_AT]));
  } catch {
    return null;
  }
}
