/** Ways to decide what outlives a crash: by chance, by time, or every way there is. */
import type { Random } from "../base/clock.ts";
import type { CrashChooser, Fill } from "./crash-image.ts";
import { SeededRandom } from "./seeded-random.ts";
import type { Moment } from "./sim-file.ts";

/**
 * What a crash takes. Whatever is left out is drawn anew for each crash, so that many crashes see many worlds.
 */
export interface CrashPolicy {
  /**
   * "power": the cache is lost. "process": only the process dies, so everything written is there, and what was not flushed
   * is as much at risk as before: a later loss of power may still take it.
   */
  readonly kind?: "power" | "process";
  /**
   * Of what was not flushed: "nothing" outlives, "everything" does, "prefix" (all up to a moment), or "scatter" (each sector,
   * size and entry for itself).
   */
  readonly survival?: "nothing" | "everything" | "prefix" | "scatter";
  /** What is read where a size outlived and the bytes did not. */
  readonly fill?: Fill;
  /** Whether a sector may be written in part. False unless said: disks have written whole sectors for a long time. */
  readonly tornSectors?: boolean;
}

const SURVIVALS = ["nothing", "everything", "prefix", "prefix", "scatter", "scatter", "scatter", "scatter"] as const;
/** Of the renamings that outlived by chance: no file system with a journal halves one, FAT and ext2 may. */
const HALF_CHANCE = 0.15;
const FILLS = ["zero", "garbage", "stale"] as const;

/** By chance. `timeMax` is the time of the newest change, `stale` the sectors that files gave back. */
export function randomChooser(random: Random, policy: CrashPolicy, timeMax: number, stale: readonly Uint8Array[]): CrashChooser {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)]!;
  const survival = policy.survival ?? pick(SURVIVALS);
  if (survival !== "scatter") {
    const until = survival === "nothing" ? 0 : survival === "everything" ? timeMax : Math.floor(random.next() * (timeMax + 1));
    return untilTime(until);
  }
  const fillBytes = (fill: Fill, byteLength: number): Uint8Array => {
    if (fill === "garbage") return random.bytes(byteLength);
    return fill === "stale" && stale.length > 0 ? pick(stale) : new Uint8Array(byteLength);
  };
  const fill = (): Fill => policy.fill ?? pick(FILLS);
  // How much comes through differs from crash to crash, apart for entries, sizes and sectors: "all sizes, no bytes" must be met.
  const [entryChance, newestSizeChance, newestVersionChance] = [pick([0.1, 0.5, 0.9]), pick([0, 0.5, 0.9]), pick([0.1, 0.5, 0.9])];
  const choose = (moments: readonly Moment[], newestChance: number): number =>
    random.next() < newestChance ? moments.length - 1 : Math.floor(random.next() * moments.length);
  return {
    outlives: () => random.next() < entryChance,
    halves: () => random.next() < HALF_CHANCE,
    size: (sizes) => choose(sizes, newestSizeChance),
    version: (versions) => choose(versions, newestVersionChance),
    fill,
    fillBytes,
    tear: (byteLength) => (policy.tornSectors === true && random.next() < 0.3 ? Math.floor(random.next() * byteLength) : byteLength),
  };
}

/** Everything up to `time` came to the disk, nothing after it: what was not written yet reads as zeros. */
export function untilTime(time: number): CrashChooser {
  const last = (moments: readonly Moment[]): number => moments.findLastIndex((moment) => moment.time <= time);
  return {
    outlives: (changeTime) => changeTime <= time,
    halves: () => false,
    size: last,
    version: last,
    fill: () => "zero",
    fillBytes: (_fill, byteLength) => new Uint8Array(byteLength),
    tear: (byteLength) => byteLength,
  };
}

/** One way out of all there are: at each question `digits` says which answer, and `radices` is filled with how many there were. */
export function digitChooser(digits: readonly number[], radices: number[], stale: readonly Uint8Array[]): CrashChooser {
  const digit = (radix: number): number => {
    radices.push(radix);
    return digits[radices.length - 1] ?? 0;
  };
  // States that are equal are one answer, else images would be counted twice.
  const distinct = (moments: readonly Moment[]): number => {
    let count = 0;
    for (const [at, { firstEqual }] of moments.entries()) if (firstEqual === at) count++;
    let left = digit(count);
    return moments.findIndex(({ firstEqual }, at) => firstEqual === at && left-- === 0);
  };
  const fills = stale.length > 0 ? FILLS : FILLS.slice(0, 2);
  return {
    outlives: () => digit(2) === 1,
    halves: () => digit(2) === 1,
    size: distinct,
    version: distinct,
    fill: () => fills[digit(fills.length)]!,
    fillBytes: (fill, byteLength) =>
      fill === "garbage"
        ? new SeededRandom("garbage").bytes(byteLength)
        : ((fill === "stale" ? stale.at(-1) : undefined) ?? new Uint8Array(byteLength)),
    tear: (byteLength) => byteLength,
  };
}

/** The digits of the next way, or null after the last. */
export function nextDigits(digits: readonly number[], radices: readonly number[]): number[] | null {
  for (let at = radices.length - 1; at >= 0; at--) {
    const digit = digits[at] ?? 0;
    if (digit + 1 < radices[at]!) return [...radices.slice(0, at).map((_radix, before) => digits[before] ?? 0), digit + 1];
  }
  return null;
}
