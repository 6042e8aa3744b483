/** A process that runs trials, one after another, as it is told: `{ prover, seed }` in, the tally out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failureOf } from "./failure.ts";
import type { Failure, Prover, Tally } from "./prover.ts";
import { provers } from "./provers.ts";
import { boundedRun } from "./trial-bound.ts";
import { ZOO_COUNT } from "./zoo/zoo-prover.ts";

interface Order {
  readonly prover: string;
  readonly seed: number;
  /** Tells what happens. */
  readonly aloud?: boolean;
}

// Errors are met by the million, and nobody reads where they came from but in a replay.
const STACK_FRAMES_ALOUD = Error.stackTraceLimit;
Error.stackTraceLimit = 0;

/** What the trial under way has not caught: the engine's promises that nobody waited for. */
const uncaught: Failure[] = [];
process.on("unhandledRejection", (reason) => void uncaught.push({ breach: "other", what: `nobody caught: ${failureOf(reason).what}` }));

async function run({ seed, aloud }: Order, prover: Prover): Promise<Tally> {
  if (aloud === true) Error.stackTraceLimit = STACK_FRAMES_ALOUD;
  const directories: string[] = [];
  const directory = (): string => {
    const made = mkdtempSync(join(tmpdir(), `odradek-prove-${prover.name}-`));
    directories.push(made);
    return made;
  };
  try {
    const tally = await boundedRun(prover, {
      seed,
      directory,
      say: aloud === true ? (line) => void process.stdout.write(`${line}\n`) : () => {},
    });
    // A rejection counts as unhandled a turn after the last promise that could have caught it.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return { ...tally, failures: [...tally.failures, ...uncaught.splice(0)] };
  } finally {
    for (const made of directories) rmSync(made, { recursive: true, force: true });
  }
}

process.on("message", (order: Order) => {
  const prover = provers.get(order.prover);
  if (prover === undefined) throw new Error(`no prover is called ${order.prover}: there are ${[...provers.keys()].join(", ")}`);
  run(order, prover).then(
    (tally) => process.send?.({ tally }),
    (error: unknown) => process.send?.({ broken: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ provers: Object.fromEntries([...provers.values()].map(({ name, unit }) => [name, unit])), zooCount: ZOO_COUNT });
