/** How the tests run under Stryker: those files alone that scripts/mutate.mjs names, in one worker that is kept from mutant to mutant. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: (process.env.ODRADEK_MUTATION_TESTS ?? "").split(" "),
    exclude: ["**/node_modules/**"],
    setupFiles: ["test/same-seed.ts", "test/equal-bytes.ts", "test/cleaned-up.ts"],
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    // A mutant that never answers is seen by the first test that waits for it.
    testTimeout: 15_000,
    hookTimeout: 15_000,
  },
});
