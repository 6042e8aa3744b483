/** Draws faults of the core: an instance that cannot be made, memory that does not grow, a call that traps. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { CORE_CALLS, type CoreFault, type FaultyCore } from "./faulty-core.ts";

const FAULTS_MAX = 3;

/** `quiet`: the core of a day that nothing befalls, and so many of its calls that are drawn from. `from`: calls made before. */
export function drawCoreFaults(random: SeededRandom, quiet: FaultyCore, share = 1, from: FaultyCore | null = null): CoreFault[] {
  return Array.from({ length: random.integer(1, FAULTS_MAX + 1) }, () => {
    const call = random.pick(CORE_CALLS);
    const before = from?.count(call) ?? 0;
    // The first instance of a day is what it begins with. After a trap there are more calls than a quiet day makes.
    const first = call === "instance" && from === null ? 2 : 1;
    const nth = before + random.integer(first, Math.ceil(quiet.count(call) * share) + 3);
    return { call, nth, times: random.pick([1, 1, random.integer(2, 6), Number.POSITIVE_INFINITY]), afterEffect: random.chance(0.5) };
  });
}

export function sayCoreFault({ call, nth, times, afterEffect }: CoreFault): string {
  return `core ${call} ${nth}${afterEffect ? " in its end" : ""}, ${times === Number.POSITIVE_INFINITY ? "for ever" : `${times} times`}`;
}
