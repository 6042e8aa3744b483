/** Bits flipped in directories that were closed in order, one at a time, and all that can be read held against what was written. */
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Failure, Prover, Tally, Trial } from "../prover.ts";
import { flipBrokers } from "./broker-flips.ts";
import { flipEngine } from "./engine-flips.ts";
import { madePartition, widePartition } from "./made-partition.ts";
import { type Flip, PartitionFlips } from "./partition-flips.ts";
import { harmPartition } from "./partition-harms.ts";

/** Of a hundred trials so many are of each kind. A flip in a partition is cheap, one below a whole engine is a hundred times as dear. */
const SHARES = [
  ["partition", 80],
  ["wide", 2],
  ["engine", 3],
  ["broker", 7],
  ["harms", 8],
] as const;

const PARTITION_FLIPS = 3000;
const CHANGING_FLIPS = 700;
const WIDE_FLIPS = 150;
const ENGINE_FLIPS = 80;
const BROKER_FLIPS = 600;
const HARMS = 300;

export const bitsProver: Prover = {
  name: "bits",
  unit: "bitFlips",
  async run({ seed, say }: Trial): Promise<Tally> {
    const random = new SeededRandom(seed);
    const kind = kindOf(random);
    say(kind);
    try {
      return await trialOf(kind, random, say);
    } catch (error) {
      throw new Error(`a trial of kind ${kind} did not come to its end: ${String(error)}`, { cause: error });
    }
  },
};

type Kind = (typeof SHARES)[number][0];

function kindOf(random: SeededRandom): Kind {
  let left = random.integer(0, 100);
  for (const [kind, share] of SHARES) {
    if (left < share) return kind;
    left -= share;
  }
  return "partition";
}

async function trialOf(kind: Kind, random: SeededRandom, say: Trial["say"]): Promise<Tally> {
  if (kind === "broker") {
    const { flips, unseen, failures } = await flipBrokers(BROKER_FLIPS, random);
    return { counts: { brokerBitFlips: flips, brokerBitFlipsUnseen: unseen }, failures };
  }
  if (kind === "engine") {
    const { flips, failures } = await flipEngine(ENGINE_FLIPS, random);
    return { counts: { bitFlips: flips }, failures };
  }
  const made = kind === "wide" ? await widePartition(random) : await madePartition(random);
  say(made.shape);
  if (kind === "harms") {
    const { harms, failures } = await harmPartition(made, HARMS, random);
    return { counts: { harms }, failures };
  }
  const way = { cleanShutdown: random.chance(0.7), isChanging: random.chance(0.15) };
  const flips = await PartitionFlips.begin(made, way);
  const targets = flips.targets();
  const count = kind === "wide" ? WIDE_FLIPS : way.isChanging ? CHANGING_FLIPS : PARTITION_FLIPS;
  const chosen = kind === "wide" ? Array.from({ length: count }, () => random.pick(targets)) : stretch(targets, count, random);
  const result = await flips.run(chosen, random);
  const failures: Failure[] = result.failures;
  return { counts: { bitFlips: result.flips }, failures };
}

/** So many, one behind another, from a place of chance on; all of them where there are fewer. */
function stretch(targets: readonly Flip[], count: number, random: SeededRandom): Flip[] {
  const from = random.integer(0, targets.length);
  return [...targets.slice(from), ...targets.slice(0, from)].slice(0, count);
}
