/** All that live in the zoo. */
import { engineFlushes } from "./entries/engine-flushes.ts";
import { logFlushes } from "./entries/log-flushes.ts";
import { rewritingFlushes } from "./entries/rewriting-flushes.ts";
import type { ZooEntry } from "./entry.ts";

export const entries: readonly ZooEntry[] = [...logFlushes, ...rewritingFlushes, ...engineFlushes];
