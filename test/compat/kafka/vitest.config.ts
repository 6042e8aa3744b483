/** The suites that need Java: `npm run test:kafka` finds the jars and runs them, one file at a time, since a broker fills a core. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
