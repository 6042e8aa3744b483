/** In a dedicated worker of a browser. */
import { runSuite } from "./isolate.mjs";

runSuite().then(
  (outcome) => postMessage(outcome),
  (error) => postMessage({ passed: 0, failed: [{ name: "the suite", problem: String(error) }] }),
);
