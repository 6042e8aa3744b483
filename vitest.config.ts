/** How the tests run: every file under test/ that ends in .test.ts. The bytes they need are built before (scripts/test.mjs). */
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./scripts/longest-first.mjs";
import { vitestPlant } from "./scripts/plant.mjs";

export default defineConfig({
  // The zoo runs tests with a bug planted in a source file (test/prove/zoo); otherwise this is nothing.
  plugins: vitestPlant(),
  test: {
    include: ["test/**/*.test.ts"],
    // These bring what they need themselves: Java and a broker, other runtimes.
    exclude: ["test/compat/kafka/**", "test/runtimes/**", "**/node_modules/**"],
    setupFiles: ["test/same-seed.ts", "test/equal-bytes.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 90_000,
    hookTimeout: 120_000,
    passWithNoTests: false,
    // What is not written by hand, and what is types alone, is no source to be met.
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["src/api/**", "src/vendor/**", "src/core/core-bytes.ts", "**/*.d.ts"] },
  },
});
