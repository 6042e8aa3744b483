/** Whether what is read stands in the system's cache, told by how long it takes: only from a disk is anything worth reading ahead. */
import type { Clock } from "../../base/clock.ts";

/** As much is read in one call at first, so that a disk that must be waited for holds up the loop once, and not for long. */
export const READ_STEP_BYTE_LENGTH: number = 128 * 1024;
/** While steps are quick each takes as much as all before it, up to this. */
const READ_STEP_BYTE_LENGTH_MAX = 512 * 1024;
/** Out of a cache a step takes a thirtieth of this; and what comes from a disk as quickly need not be waited for either. */
const STEP_MS_MAX = 1;
/** After a step that took longer, so much is read ahead before one is tried without again. */
const COLD_BYTE_LENGTH = 16 * 1024 * 1024;

export class ReadPace {
  readonly #clock: Clock;
  #coldByteLength = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the next step is to be read ahead. */
  get isCold(): boolean {
    return this.#coldByteLength > 0;
  }

  /** How much the next step is to read, `byteLength` bytes of what is wanted having been read. */
  stepByteLength(byteLength: number): number {
    return this.isCold ? READ_STEP_BYTE_LENGTH : Math.min(READ_STEP_BYTE_LENGTH_MAX, Math.max(READ_STEP_BYTE_LENGTH, byteLength));
  }

  /** One step, of `byteLength` bytes, which `read` reads. */
  step(byteLength: number, read: () => void): void {
    if (this.isCold) {
      this.#coldByteLength -= byteLength;
      read();
      return;
    }
    const beganMs = this.#clock.monotonic();
    read();
    if (this.#clock.monotonic() - beganMs > STEP_MS_MAX) this.#coldByteLength = COLD_BYTE_LENGTH;
  }
}
