/**
 * A race of two short synchronous functions, timed by tinybench: many calls a round, one median of them, rounds in turns as in race.mjs.
 * For what takes microseconds and touches no disk; anything slower is a race of its own.
 */
import { Bench } from "tinybench";
import { quick, race } from "./race.mjs";

const ROUND_MS = quick ? 12 : 40;

/**
 * @param {{ name: string, bytesPerCall: number, ours: () => void, raw: () => void, rounds?: number, against?: string,
 *   budget?: { ratio: number } }} micro `bytesPerCall` makes the figure bytes a second.
 */
export async function micro({ name, bytesPerCall, ours, raw, rounds = quick ? 5 : 11, ...rest }) {
  const lap = (call) => {
    // A timer's own step is some 50 ns, so that a call of less is measured by the dozen.
    const times = callsOfOneSample(call);
    const sample = () => {
      for (let i = 0; i < times; i += 1) call();
    };
    return async () => {
      const bench = new Bench({ time: ROUND_MS, iterations: quick ? 2 : 5, warmup: false, throws: true });
      bench.add("lap", sample);
      const [task] = await bench.run();
      return (times * bytesPerCall) / (task.result.latency.p50 / 1000);
    };
  };
  return await race({ name, unit: "B/s", rounds, ours: lap(ours), raw: lap(raw), ...rest });
}

const SAMPLE_MS_MIN = 0.02;
const WARM_UP_MS = quick ? 2 : 10;

function callsOfOneSample(call) {
  for (const until = performance.now() + WARM_UP_MS; performance.now() < until; ) call();
  for (let times = 1; ; times *= 2) {
    const started = performance.now();
    for (let i = 0; i < times; i += 1) call();
    if (performance.now() - started >= SAMPLE_MS_MIN || times >= 65_536) return times;
  }
}
