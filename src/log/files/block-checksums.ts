/** CRC-32C over a file in blocks of 64 KiB, headers and all: what Kafka's batch checksum leaves open. */
import type { StorageFile } from "../../api/storage-driver.ts";
import type { Compactor, Core } from "../../core/core.ts";
import { readInto } from "./file-bytes.ts";

export const SEAL_BLOCK_BYTE_LENGTH = 65_536;

/** Used and done with inside one synchronous call. */
const scratch = new Uint8Array(SEAL_BLOCK_BYTE_LENGTH);

/** A compactor sums many blocks by one call. */
type Summing = Pick<Core, "crc32c"> & Partial<Pick<Compactor, "crc32cOfBlocks">>;

/** The checksums of a file as it grows: bytes are added in the order in which they stand, each once, after they were written. */
export class BlockChecksums {
  readonly #core: Summing;
  readonly #whole: number[] = [];
  #open = 0;
  #byteLength = 0;

  constructor(core: Summing) {
    this.#core = core;
  }

  /** How many bytes were added. */
  get byteLength(): number {
    return this.#byteLength;
  }

  add(bytes: Uint8Array): void {
    if (this.#core.crc32cOfBlocks !== undefined) {
      const begun = this.#byteLength % SEAL_BLOCK_BYTE_LENGTH;
      this.#open = this.#core.crc32cOfBlocks(bytes, this.#open, begun, SEAL_BLOCK_BYTE_LENGTH, this.#whole);
      this.#byteLength += bytes.byteLength;
      return;
    }
    for (let at = 0; at < bytes.byteLength; ) {
      const inBlock = this.#byteLength % SEAL_BLOCK_BYTE_LENGTH;
      const step = Math.min(bytes.byteLength - at, SEAL_BLOCK_BYTE_LENGTH - inBlock);
      const part = at === 0 && step === bytes.byteLength ? bytes : bytes.subarray(at, at + step);
      this.#open = this.#core.crc32c(part, inBlock === 0 ? 0 : this.#open);
      this.#byteLength += step;
      if (inBlock + step === SEAL_BLOCK_BYTE_LENGTH) this.#whole.push(this.#open);
      at += step;
    }
  }

  /** One for every block, the last one perhaps short. */
  checksums(): number[] {
    return this.#byteLength % SEAL_BLOCK_BYTE_LENGTH === 0 ? [...this.#whole] : [...this.#whole, this.#open];
  }
}

/** Of the first `byteLength` bytes; fewer where the file is shorter. Blocks the loop as long as reading them takes: see `blockChecksumsInSteps`. */
export function blockChecksums(core: Core, file: StorageFile, byteLength: number): number[] {
  const steps = blockChecksumsInSteps(core, file, byteLength);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value.checksums();
  }
}

/**
 * The same, giving way after every block, so that the caller can let others run. Ends with what further appends are added to. `from`:
 * where a block begins; the blocks before it are left out.
 */
export function* blockChecksumsInSteps(core: Core, file: StorageFile, byteLength: number, from = 0): Generator<void, BlockChecksums> {
  const sums = new BlockChecksums(core);
  const block = new Uint8Array(Math.min(SEAL_BLOCK_BYTE_LENGTH, byteLength - from));
  while (from + sums.byteLength < byteLength) {
    const wanted = block.subarray(0, byteLength - from - sums.byteLength);
    const count = readInto(file, wanted, from + sums.byteLength);
    sums.add(wanted.subarray(0, count));
    if (count < wanted.byteLength) break;
    yield;
  }
  return sums;
}

/**
 * The first block touching bytes `from` up to `until` that is not as it was when the checksums were made, or -1. `byteLength`: of the
 * file then; a file that is shorter now has a bad block.
 */
export function findBadBlock(
  core: Core,
  file: StorageFile,
  sealed: { readonly byteLength: number; readonly checksums: readonly number[] },
  from: number,
  until: number,
): number {
  const end = Math.min(until, sealed.byteLength);
  for (let number = Math.floor(from / SEAL_BLOCK_BYTE_LENGTH); number * SEAL_BLOCK_BYTE_LENGTH < end; number++) {
    const at = number * SEAL_BLOCK_BYTE_LENGTH;
    const wanted = scratch.subarray(0, sealed.byteLength - at);
    const count = readInto(file, wanted, at);
    if (count < wanted.byteLength || core.crc32c(wanted) !== sealed.checksums[number]) return number;
  }
  return -1;
}
