/** How simulated disks give room to files: how far ahead of what is written they are best made long, and how much of them a file is given at a time. */
import type { CrashStorageOptions } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

/** Not at all, by less than a batch, by some, by more than a life writes. */
const AHEAD_BYTE_LENGTHS = [0, 64, 500, 8192];
/** A sector, some of them, and as much as file systems give. */
const BLOCK_BYTE_LENGTHS = [0, 0, 512, 4096];

export function roomOf(random: SeededRandom): Pick<CrashStorageOptions, "aheadByteLength" | "blockByteLength"> {
  return { aheadByteLength: random.pick(AHEAD_BYTE_LENGTHS), blockByteLength: random.pick(BLOCK_BYTE_LENGTHS) };
}
