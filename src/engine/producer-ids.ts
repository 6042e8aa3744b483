/** Producer ids, each handed out once in the life of a directory: from a block that the catalogue has durably given away. */
import { OdradekError, StorageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import { PRODUCER_ID_BLOCK_COUNT } from "../topic/catalog.ts";
import type { House } from "./house.ts";

export class ProducerIds {
  readonly #house: House;
  #next = 0n;
  #end = 0n;
  /** One more than the largest that anyone was seen to have. */
  #floor = 0n;
  #reserving: Promise<void> | null = null;

  constructor(house: House) {
    this.#house = house;
  }

  /** An id that stands in a log or a record, whoever gave it. */
  noteSeen(producerId: bigint): void {
    if (producerId < this.#floor) return;
    this.#floor = producerId + 1n;
    if (this.#next < this.#floor) this.#next = this.#floor;
  }

  /** What the open logs know. Again after a partition was opened that had not been. */
  noteLogs(): void {
    for (const log of this.#house.topics.openLogs()) this.noteSeen(log.producers.largestProducerId());
  }

  /** Rejects with a retriable `StorageError` where the next block cannot be taken. */
  async next(): Promise<bigint> {
    while (this.#next >= this.#end) {
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = null;
      });
      await this.#reserving;
    }
    const producerId = this.#next;
    this.#next += 1n;
    return producerId;
  }

  /** Resolves when no block is being reserved, whatever came of it. */
  async settled(): Promise<void> {
    await this.#reserving?.catch(() => {});
  }

  async #reserve(): Promise<void> {
    this.noteLogs();
    try {
      const first = await this.#house.catalog.reserveProducerIds(this.#floor);
      [this.#next, this.#end] = [first > this.#floor ? first : this.#floor, first + BigInt(PRODUCER_ID_BLOCK_COUNT)];
    } catch (error) {
      if (error instanceof OdradekError && error.retriable) throw error;
      const reason = reasonOf(error);
      throw new StorageError("KAFKA_STORAGE_ERROR", `no producer id can be given: the catalogue could not be written: ${reason}`, {
        cause: error,
      });
    }
  }
}
