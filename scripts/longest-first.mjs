/**
 * The order of test files: those that are known to last long begin first, so that none of them is left alone at the end while the
 * other worker has nothing to do. A fresh clone has no record of how long each took; this list is one.
 */
import { BaseSequencer } from "vitest/node";

/** Roughly, in falling order of time. */
const LONG = [
  "test/model/face.test.ts",
  "test/log/compaction-crash.test.ts",
  "test/simulation/engine-small-scope.test.ts",
  "test/simulation/guarantees-crash.test.ts",
  "test/checks/package.test.ts",
  "test/log/compaction-faults.test.ts",
  "test/log/log-leftovers.test.ts",
  "test/log/producer-states.test.ts",
  "test/storage/node-lock.test.ts",
  "test/cli/cli.test.ts",
  "test/simulation/engine-faults.test.ts",
  "test/simulation/transaction-crash.test.ts",
];

export class LongestFirst extends BaseSequencer {
  async sort(files) {
    const placeOf = ({ moduleId }) => {
      const place = LONG.findIndex((name) => moduleId.replaceAll("\\", "/").endsWith(`/${name}`));
      return place < 0 ? LONG.length : place;
    };
    // What is not named keeps the order that it is given.
    return (await super.sort(files)).sort((left, right) => placeOf(left) - placeOf(right));
  }
}
