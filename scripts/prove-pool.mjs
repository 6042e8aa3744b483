/** The processes that run trials, each one trial at a time. One that dies or hangs is replaced, and its trial has failed. */
import { fork } from "node:child_process";

/** No trial takes so long on any machine. */
const TRIAL_MS_MAX = 300_000;

/** What is short-lived in a simulation is most of it: room for it saves a fifth of the time. */
const NODE_FLAGS = ["--max-semi-space-size=64", "--enable-source-maps"];

export class Worker {
  /** Names of provers, and what each is measured in. */
  provers = {};
  /** How many bugs there are to plant. */
  zooCount = 0;
  #file;
  #child = null;

  constructor(file) {
    this.#file = file;
  }

  async start() {
    this.#child = fork(this.#file, [], { execArgv: NODE_FLAGS });
    const { provers, zooCount, died } = await this.#answer();
    if (died !== undefined) throw new Error(`the provers do not load: ${died}`);
    this.provers = provers;
    this.zooCount = zooCount;
  }

  /** Resolves to `{ tally, spentMs }` or `{ broken }`. */
  async run(order) {
    const began = performance.now();
    this.#child.send(order);
    const { tally, broken, died } = await this.#answer();
    if (died !== undefined) await this.start();
    return { tally, broken: broken ?? died, spentMs: performance.now() - began };
  }

  stop() {
    this.#child?.kill("SIGKILL");
  }

  #answer() {
    const child = this.#child;
    return new Promise((resolve) => {
      let isTooLong = false;
      const timer = setTimeout(() => {
        isTooLong = true;
        child.kill("SIGKILL");
      }, TRIAL_MS_MAX);
      const settle = (answer) => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(answer);
      };
      child.once("message", settle);
      child.once("exit", (code, signal) =>
        settle({
          died: isTooLong
            ? `the trial came to no end in ${TRIAL_MS_MAX / 1000} s`
            : `the process ended with ${signal ?? `exit code ${code}`}`,
        }),
      );
    });
  }
}
