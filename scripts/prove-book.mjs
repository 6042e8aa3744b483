/** The book of one run: sums of what the trials counted, and every failure by the name under which it can be had again. */

/** What the JSON line always says, found or not. */
const ALWAYS = [
  "crashStates",
  "recrashed",
  "injectedErrors",
  "bitFlips",
  "killCycles",
  "modelCommands",
  "lost",
  "holes",
  "phantoms",
  "undetectedFlips",
  "zooCaught",
  "zooTotal",
  "tracesEqual",
];

const BREACHES = { lost: "lost", hole: "holes", phantom: "phantoms", undetectedFlip: "undetectedFlips" };

export class Book {
  /** By name of what is counted. */
  sums = Object.fromEntries(ALWAYS.map((name) => [name, 0]));
  /** `{ name, breach, what }` */
  failed = [];
  trials = 0;
  /** Of each prover, in milliseconds of its worker's processor. */
  spentMs = {};
  #states = new Set();

  /**
   * @param {string} prover
   * @param {number} seed
   * @param {import("../test/prove/prover.ts").Tally} tally
   */
  enter(prover, seed, { counts, failures, stateHashes = [] }, spentMs) {
    this.trials += 1;
    this.spentMs[prover] = (this.spentMs[prover] ?? 0) + spentMs;
    for (const [name, count] of Object.entries(counts)) this.sums[name] = (this.sums[name] ?? 0) + count;
    // A disk that was met before is not another one.
    for (const hash of stateHashes) {
      if (this.#states.has(hash)) this.sums.crashStates -= 1;
      this.#states.add(hash);
    }
    for (const { breach, what } of failures) this.#fail(prover, seed, breach, what);
  }

  /** A trial that did not come to its end: nothing was proven by it. */
  broke(prover, seed, what) {
    this.#fail(prover, seed, "other", what);
  }

  #fail(prover, seed, breach, what) {
    this.failed.push({ name: `${prover}:${seed}`, breach, what });
    const sum = BREACHES[breach];
    if (sum !== undefined) this.sums[sum] += 1;
  }

  /** One line of JSON. */
  line(about) {
    return JSON.stringify({ ...this.sums, failures: this.failed.length, failed: this.failed.slice(0, 20), ...about });
  }
}
