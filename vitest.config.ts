/** How the tests run: every file under test/ that ends in .test.ts. The bytes they need are built before (scripts/test.mjs). */
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./scripts/longest-first.mjs";
import { vitestPlant } from "./scripts/plant.mjs";
import { filesAlone } from "./scripts/test-processes.mjs";

const include = ["test/**/*.test.ts"];
// These bring what they need themselves: Java and a broker, other runtimes.
const exclude = ["test/compat/kafka/**", "test/runtimes/**", "**/node_modules/**"];
const { ODRADEK_TESTS_WITHOUT: without } = process.env;
if (without !== undefined) exclude.push(without);
const alone = filesAlone();

export default defineConfig({
  // The zoo runs tests with a bug planted in a source file (test/prove/zoo); otherwise this is nothing.
  plugins: vitestPlant(),
  test: {
    projects: [
      { extends: true, test: { name: "alone", include: alone, exclude, isolate: true } },
      { extends: true, test: { name: "together", include, exclude: [...exclude, ...alone], isolate: false } },
    ],
    setupFiles: ["test/same-seed.ts", "test/equal-bytes.ts", "test/cleaned-up.ts"],
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
