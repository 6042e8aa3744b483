/** Every decoder, given bytes that are nearly right, checksums included: a typed error or a valid answer, soon, and in little memory. */
import { createCompression } from "../../../src/compression/create-compression.ts";
import { nodeCodecs } from "../../../src/compression/node-codecs.ts";
import { loadCore } from "../../../src/core/load-core.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Failure, Prover, Tally, Trial } from "../prover.ts";
import { batchTargets } from "./batch-targets.ts";
import { bookTargets } from "./book-targets.ts";
import { cliTargets } from "./cli-targets.ts";
import { codecTargets } from "./codec-targets.ts";
import { coordinatorTargets } from "./coordinator-targets.ts";
import { type FuzzTarget, isTyped } from "./fuzz-target.ts";
import { mutated } from "./mutation.ts";
import { varintTargets } from "./varint-targets.ts";

const INPUTS_PER_TRIAL = 5000;
const FAILURES_TOLD_MAX = 8;
/** Of the processor: what else the machine does is not the decoder's. */
const DECODE_MS_MAX = 3000;
/** Above the most that the process ever held: of what garbage is left behind, and of what a codec may answer. */
const GROWTH_BYTES_MAX = 512 * 1024 * 1024;
const SHOWN_BYTES_MAX = 300;

let everything: Promise<readonly FuzzTarget[]> | undefined;

export async function allTargets(): Promise<readonly FuzzTarget[]> {
  const core = await loadCore();
  const native = nodeCodecs();
  const compression = createCompression(core, native);
  const files = [...batchTargets(core, compression), ...bookTargets(core, compression)];
  return [
    ...files,
    ...codecTargets(core, native),
    ...coordinatorTargets(),
    ...cliTargets(core, compression, files),
    ...(await varintTargets()),
  ];
}

export const fuzzProver: Prover = {
  name: "fuzz",
  unit: "fuzzInputs",
  run: async (trial) => {
    everything ??= allTargets();
    return fuzz(trial, await everything, INPUTS_PER_TRIAL);
  },
};

/** Most of what is made up ends in an error, and most of an error is its stack. */
const STACK_LINES = 1;

export async function fuzz(
  trial: Pick<Trial, "seed" | "say">,
  targets: readonly FuzzTarget[],
  inputCount: number,
  decodeMsMax: number = DECODE_MS_MAX,
): Promise<Tally> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = STACK_LINES;
  try {
    return await fuzzAll(trial, targets, inputCount, decodeMsMax);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function fuzzAll(
  trial: Pick<Trial, "seed" | "say">,
  targets: readonly FuzzTarget[],
  inputCount: number,
  decodeMsMax: number,
): Promise<Tally> {
  const random = new SeededRandom(trial.seed);
  const failures = new Map<string, Failure>();
  const weighted = targets.flatMap((target) => Array.from({ length: target.weight ?? 1 }, () => target));
  const heldBefore = process.resourceUsage().maxRSS * 1024;
  let fuzzInputs = 0;
  for (; fuzzInputs < inputCount && failures.size < FAILURES_TOLD_MAX; fuzzInputs += 1) {
    const target = random.pick(weighted);
    const bytes = inputFor(target, random);
    const problem = await attempt(target, bytes, random.fork(), decodeMsMax);
    if (problem === null) continue;
    const shown = Buffer.from(bytes.subarray(0, SHOWN_BYTES_MAX)).toString(target.isText === true ? "latin1" : "hex");
    const what = `${target.name}: ${problem}; input ${fuzzInputs} of seed ${trial.seed}, ${bytes.length} bytes: ${shown}`;
    trial.say(what);
    // One of a kind is enough.
    const kind = `${target.name}: ${problem.replace(/\d+/g, "#").slice(0, 120)}`;
    if (!failures.has(kind)) failures.set(kind, { breach: "other", what });
  }
  const grownByteLength = process.resourceUsage().maxRSS * 1024 - heldBefore;
  if (grownByteLength > GROWTH_BYTES_MAX) {
    const what = `seed ${trial.seed}: ${fuzzInputs} inputs of some hundred bytes took ${grownByteLength} bytes of memory`;
    failures.set("memory", { breach: "other", what });
  }
  return { counts: { fuzzInputs }, failures: [...failures.values()] };
}

function inputFor(target: FuzzTarget, random: SeededRandom): Uint8Array<ArrayBuffer> {
  const bytes = mutated(random.pick(target.specimens), random.pick(target.specimens), target, random);
  return target.mend !== undefined && random.chance(0.85) ? target.mend(bytes, random) : bytes;
}

/** What was wrong with how it was met; null: nothing. */
async function attempt(
  target: FuzzTarget,
  bytes: Uint8Array<ArrayBuffer>,
  random: SeededRandom,
  decodeMsMax: number,
): Promise<string | null> {
  const begun = process.cpuUsage();
  try {
    await target.decode(bytes, random);
  } catch (error) {
    if (!isTyped(error)) return told(error);
  }
  const { user, system } = process.cpuUsage(begun);
  const tookMs = (user + system) / 1000;
  return tookMs > decodeMsMax ? `took ${Math.round(tookMs)} ms of the processor` : null;
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const where = (error.stack ?? "").split("\n").find((line) => /^\s+at /.test(line));
  return `${error.name}: ${error.message} (${where?.trim() ?? "nowhere"})`;
}
