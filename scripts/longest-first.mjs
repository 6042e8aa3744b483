/**
 * The order of test files: those that are known to last long begin first, so that none of them is left alone at the end while the
 * other worker has nothing to do. A fresh clone has no record of how long each took; this list is one.
 */
import { BaseSequencer } from "vitest/node";

/** Roughly, in falling order of time. */
export const LONG = [
  "test/checks/package.test.ts",
  "test/cli/cli.test.ts",
  "test/storage/node-lock.test.ts",
  "test/log/compaction-crash.test.ts",
  "test/log/compaction-faults.test.ts",
  "test/model/face.test.ts",
  "test/simulation/guarantees-crash.test.ts",
  "test/face/compression.test.ts",
  "test/cli/verify.test.ts",
  "test/simulation/transaction-crash.test.ts",
  "test/face/harm.test.ts",
  "test/face/harm-guarantees.test.ts",
  "test/face/durability.test.ts",
  "test/prove/runner.test.ts",
];

/** What is not named keeps the order that it is given. */
export function longestFirst(files) {
  const placeOf = ({ moduleId, project }) => {
    const place = LONG.findIndex((name) => moduleId.replaceAll("\\", "/").endsWith(`/${name}`));
    if (place >= 0) return place;
    // Those that share a process follow one another: one that runs alone between them would end it, and all be loaded anew.
    return project.config.isolate ? LONG.length : LONG.length + 1;
  };
  return [...files].sort((left, right) => placeOf(left) - placeOf(right));
}

export class LongestFirst extends BaseSequencer {
  async sort(files) {
    return longestFirst(await super.sort(files));
  }
}
