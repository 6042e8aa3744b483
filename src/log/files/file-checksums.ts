/** The block checksums of a file that others may be waiting beside: in steps that let them run. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { StorageError } from "../../base/errors.ts";
import type { Core } from "../../core/core.ts";
import { type BlockChecksums, blockChecksumsInSteps, SEAL_BLOCK_BYTE_LENGTH } from "./block-checksums.ts";

/** Between two pauses for others: 1 MiB. */
const BLOCKS_PER_PAUSE = 16;

/** The checksums of the first `byteLength` bytes, fewer where the file is shorter, in steps that let others run. */
export async function checksumsOf(core: Core, file: StorageFile, byteLength: number): Promise<number[]> {
  return (await sumsOf(core, file, byteLength)).checksums();
}

/**
 * As `checksumsOf`, of a file that is known to be so long: what cannot be read whole is not to be sealed as it was read. `from`: where a
 * block begins; the blocks before it are left out.
 */
export async function checksumsOfWhole(core: Core, file: StorageFile, name: string, byteLength: number, from = 0): Promise<number[]> {
  const sums = await sumsOf(core, file, byteLength, from);
  if (from + sums.byteLength === byteLength) return sums.checksums();
  throw new StorageError("STORAGE_FAILED", `${name}: expected ${byteLength} bytes to be read, found ${from + sums.byteLength}`);
}

async function sumsOf(core: Core, file: StorageFile, byteLength: number, from = 0): Promise<BlockChecksums> {
  const steps = blockChecksumsInSteps(core, file, byteLength, from);
  for (let count = 0; ; count += 1) {
    if (count % BLOCKS_PER_PAUSE === 0)
      await file.readAhead(from + count * SEAL_BLOCK_BYTE_LENGTH, BLOCKS_PER_PAUSE * SEAL_BLOCK_BYTE_LENGTH);
    const step = steps.next();
    if (step.done) return step.value;
  }
}
