/** The bound of a trial: one that waits for what never comes is ended, and has failed under its name. */
import { performance } from "node:perf_hooks";
import type { Failure, Prover, Tally, Trial } from "./prover.ts";

/**
 * For so long in all nothing was there to do. Trials draw their time from clocks of their own, so that there always is. What the machine
 * does meanwhile does not count: a process that has work and gets no processor is not idle.
 */
const IDLE_MS_MAX = 20_000;
const LOOKED_AT_EVERY = 10;
/** Their trials wait for other processes, each with bounds of its own. */
const WAITS_FOR_OTHERS: ReadonlySet<string> = new Set(["kills", "zoo"]);

/** The trial's tally, or that it hangs: then it is left where it stands. */
export async function boundedRun({ name, run }: Prover, trial: Trial, idleMsMax: number = IDLE_MS_MAX): Promise<Tally> {
  if (WAITS_FOR_OTHERS.has(name)) return await run(trial);
  const atBegin = performance.eventLoopUtilization();
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<Tally>((resolve) => {
    timer = setInterval(() => {
      const { idle } = performance.eventLoopUtilization(atBegin);
      if (idle < idleMsMax) return;
      const what = `the trial hangs: for ${Math.round(idle)} ms it has waited for what does not come`;
      resolve({ counts: {}, failures: [{ breach: "other", what } satisfies Failure] });
    }, idleMsMax / LOOKED_AT_EVERY);
  });
  try {
    return await Promise.race([run(trial), hangs]);
  } finally {
    clearInterval(timer);
  }
}
