/**
 * The bounded exhaustive search over one partition's log. Exhausted are: every program of one to three operations from the nine of
 * `OPERATIONS` (819 of them), in files that grow, that are preallocated and that are sized ahead, on a log that holds two acknowledged batches; each call of the storage
 * that the last operation makes and that changes the disk or flushes it (the calls before it are those of the shorter programs), and
 * the end; of each such moment every image that a loss of power may leave, sectors of 128 bytes, each in each of its versions, each
 * size, fill and entry for itself, where there are at most `IMAGES_MAX`; where there are more, so many of them: nothing, everything,
 * each moment's state, and mixtures by (repeatable) chance. Trials take programs in rotation by their seed, with sectors of another
 * length each time round, and half of the rounds on disks that take their time.
 */
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Crashed, CrashTree } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import type { LogSettings } from "./log-bed.ts";
import type { PlainFacts } from "./plain-facts.ts";
import { PlainLife, type PlainStep } from "./plain-log.ts";

/** Images of one moment. */
export const IMAGES_MAX = 24;

const append = (recordCount: number, valueLength: number, wait: boolean): PlainStep => ({ kind: "append", recordCount, valueLength, wait });

export const OPERATIONS: readonly (readonly PlainStep[])[] = [
  [append(1, 8, true)],
  // Two batches in one flush; and so large a one that the next rolls.
  [append(1, 8, false), append(2, 8, true)],
  [append(3, 90, true)],
  [{ kind: "delete", share: 1 }],
  [{ kind: "retain", agedMs: 2000 }],
  [{ kind: "seal" }],
  [{ kind: "reopen", clean: false }],
  [{ kind: "reopen", clean: true }],
  [{ kind: "failSync", failure: "ext4", files: /\.log$/ }, append(1, 8, true)],
];

export const SMALL_SETTINGS: readonly LogSettings[] = (
  [
    [false, 0],
    [true, 0],
    [false, 150],
  ] as const
).map(([preallocate, aheadByteLength]) => ({
  config: { segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 400, retentionMs: 1000, preallocate },
  maxUnflushedBytes: 300,
  aheadByteLength,
}));

/** How many programs there are; `smallProgram` answers each by its number. */
export const PROGRAM_COUNT: number = SMALL_SETTINGS.length * (OPERATIONS.length + OPERATIONS.length ** 2 + OPERATIONS.length ** 3);

/** More than a program and the use of what it leaves send. */
const RECORDS_MAX = 256;
/** So many of them have numbers below 2^32. */
const NUMBERS_MAX = 2 ** 23;

const SECTOR_BYTE_LENGTHS = [128, 64, 256, 32];

export interface SmallProgram {
  /** Where its records begin to be counted: apart from those of every other program, so that its disks are too. */
  readonly firstRecord: number;
  readonly settings: LogSettings;
  readonly sectorByteLength: number;
  /** Of how slow the disk is; null: it answers at once. */
  readonly latencySeed: number | null;
  readonly operations: readonly number[];
}

export function smallProgram(number: number): SmallProgram {
  const settings = SMALL_SETTINGS[number % SMALL_SETTINGS.length] as LogSettings;
  let rest = Math.floor(number / SMALL_SETTINGS.length) % (PROGRAM_COUNT / SMALL_SETTINGS.length);
  let length = 1;
  for (; rest >= OPERATIONS.length ** length; length += 1) rest -= OPERATIONS.length ** length;
  const operations = Array.from({ length }, (_none, at) => Math.floor(rest / OPERATIONS.length ** at) % OPERATIONS.length);
  // Once all had their turn the same programs meet disks that tear them elsewhere.
  const round = Math.floor(number / PROGRAM_COUNT);
  const sectorByteLength = SECTOR_BYTE_LENGTHS[round % SECTOR_BYTE_LENGTHS.length] as number;
  const latencySeed = Math.floor(round / SECTOR_BYTE_LENGTHS.length) % 2 === 0 ? null : number;
  return { firstRecord: (number % NUMBERS_MAX) * RECORDS_MAX, settings, sectorByteLength, latencySeed, operations };
}

export async function smallCrashes(
  tree: CrashTree<PlainFacts>,
  { firstRecord, settings, sectorByteLength, latencySeed, operations }: SmallProgram,
): Promise<Crashed<PlainFacts>[]> {
  const latency = latencySeed === null ? {} : latencyOf(new SeededRandom(latencySeed), 0);
  const disk = crashStorage({ sectorByteLength, ...latency, aheadByteLength: settings.aheadByteLength ?? 0 });
  const life = new PlainLife(disk, settings);
  life.facts.sentCount = firstRecord;
  await life.begin();
  for (const step of [append(1, 10, true), append(2, 10, true)]) await life.step(step);
  const crashes: Crashed<PlainFacts>[] = [];
  const gather = (where: string): void => {
    let number = 0;
    for (const image of disk.enumerateCrashes(IMAGES_MAX)) {
      number += 1;
      crashes.push(tree.crashedInto(image, life.facts, `operations ${operations.join(", ")}, before ${where}, image ${number}`));
    }
  };
  for (const [at, operation] of operations.entries()) {
    if (at === operations.length - 1) disk.watch((call, name) => gather(`${call} ${name}`));
    for (const step of OPERATIONS[operation] as readonly PlainStep[]) await life.step(step);
  }
  await life.settled();
  gather("the end");
  disk.watch(null);
  disk.halt();
  return crashes;
}
