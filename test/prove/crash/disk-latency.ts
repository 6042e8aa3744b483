/** How slow a simulated disk is: of each seed its own way, so that what was begun later may be done first. */
import type { CrashStorageOptions } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

type Call = Parameters<NonNullable<CrashStorageOptions["latency"]>>[0];

/**
 * Turns of the microtask queue, at most. Flushes that are slow beside quick names: a roll overtakes a flush, or several do; names that
 * are slow beside quick flushes; and everything slow.
 */
const SLOW: readonly Readonly<Record<Call, number>>[] = [
  { sync: 24, syncDirectory: 3, open: 3, close: 3, entry: 3 },
  { sync: 400, syncDirectory: 3, open: 3, close: 3, entry: 3 },
  { sync: 3, syncDirectory: 100, open: 3, close: 3, entry: 12 },
  { sync: 60, syncDirectory: 60, open: 12, close: 12, entry: 12 },
];
/** How many answer at once: their states are had for less. */
const QUICK_CHANCE = 0.5;

/** Of its own chance, so that how often a disk is asked changes nothing else. */
export function latencyOf(random: SeededRandom, quickChance: number = QUICK_CHANCE): Pick<CrashStorageOptions, "latency"> {
  const latencies = random.fork();
  if (random.chance(quickChance)) return {};
  const turnsMax = random.pick(SLOW);
  const latency = async (call: Call): Promise<void> => {
    for (let turns = Math.floor(latencies.next() * turnsMax[call]); turns > 0; turns -= 1) await null;
  };
  return { latency };
}
