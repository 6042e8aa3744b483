/** The answer of a scan: positions from the core's table, fields from the headers that still stand in the read window. */
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
} from "../base/record-batch.ts";
import type { BatchScan, ScanStop } from "./core.ts";
import type { CoreMemory } from "./core-host.ts";

/** In the order of their numbers in assembly/scan/scanner.ts. */
const STOPS: readonly ScanStop[] = ["end", "zero", "partial", "length", "magic", "checksum", "offset"];

export class WindowScan implements BatchScan {
  readonly count: number;
  readonly stop: ScanStop;
  readonly stopPosition: number;
  readonly neededByteLength: number;
  readonly storedChecksum: number;
  readonly computedChecksum: number;
  readonly #view: DataView;
  readonly #tableAt: number;
  readonly #windowAt: number;

  constructor(memory: CoreMemory, count: number) {
    this.count = count;
    this.stop = STOPS[memory.answer(0)] as ScanStop;
    this.stopPosition = memory.answer(1);
    this.neededByteLength = memory.answer(2);
    const isChecksum = this.stop === "checksum";
    this.storedChecksum = isChecksum ? memory.answer(3) >>> 0 : 0;
    this.computedChecksum = isChecksum ? memory.answer(4) >>> 0 : 0;
    this.#view = memory.view;
    this.#tableAt = memory.scanTableAt;
    this.#windowAt = memory.readWindowAt;
  }

  position(index: number): number {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`batch ${index} of a scan that found ${this.count}`);
    return this.#view.getInt32(this.#tableAt + index * 4, true);
  }

  byteLength(index: number): number {
    return this.#view.getInt32(this.#headerAt(index) + LENGTH_AT) + LENGTH_OVERHEAD;
  }

  baseOffset(index: number): number {
    return Number(this.#view.getBigInt64(this.#headerAt(index) + BASE_OFFSET_AT));
  }

  lastOffset(index: number): number {
    return this.baseOffset(index) + this.#view.getInt32(this.#headerAt(index) + LAST_OFFSET_DELTA_AT);
  }

  leaderEpoch(index: number): number {
    return this.#view.getInt32(this.#headerAt(index) + LEADER_EPOCH_AT);
  }

  attributes(index: number): number {
    return this.#view.getInt16(this.#headerAt(index) + ATTRIBUTES_AT);
  }

  maxTimestamp(index: number): number {
    return Number(this.#view.getBigInt64(this.#headerAt(index) + MAX_TIMESTAMP_AT));
  }

  recordCount(index: number): number {
    return this.#view.getInt32(this.#headerAt(index) + RECORD_COUNT_AT);
  }

  #headerAt(index: number): number {
    return this.#windowAt + this.position(index);
  }
}
