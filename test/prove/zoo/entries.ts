/** All that live in the zoo. */
import { engineFlushes } from "./entries/engine-flushes.ts";
import { guaranteeBugs } from "./entries/guarantee-bugs.ts";
import { logFlushes } from "./entries/log-flushes.ts";
import { readingBugs } from "./entries/reading-bugs.ts";
import { rewritingFlushes } from "./entries/rewriting-flushes.ts";
import { sizedAheadBugs } from "./entries/sized-ahead-bugs.ts";
import { webFlushes } from "./entries/web-flushes.ts";
import { writingBugs } from "./entries/writing-bugs.ts";
import type { ZooEntry } from "./entry.ts";

export const entries: readonly ZooEntry[] = [
  ...logFlushes,
  ...rewritingFlushes,
  ...engineFlushes,
  ...webFlushes,
  ...readingBugs,
  ...writingBugs,
  ...sizedAheadBugs,
  ...guaranteeBugs,
];
