/** The pages of sealed indexes that were read last, over all segments of the process: a bound on what indexes cost in memory. */
import type { Bytes } from "../../api/bytes.ts";

export const INDEX_PAGE_BYTE_LENGTH = 4096;

/** 4 MiB: the index pages of 2 GiB of log at Kafka's default spacing. */
const PAGE_COUNT_MAX = 1024;

/** No index has so many pages: 2^31 bytes of index. */
const PAGES_PER_INDEX_MAX = 2 ** 20;

/** First in, first out: a page that is asked for all the time comes back with one read of 4 KiB. */
export class IndexPages {
  readonly #pages: Map<number, Bytes> = new Map();
  #nextOwner = 0;

  /** A number of its own for an index, or for an index whose bytes have changed. */
  newOwner(): number {
    return this.#nextOwner++;
  }

  find(owner: number, page: number): Bytes | undefined {
    return this.#pages.get(owner * PAGES_PER_INDEX_MAX + page);
  }

  put(owner: number, page: number, bytes: Bytes): void {
    if (this.#pages.size >= PAGE_COUNT_MAX) this.#pages.delete(this.#pages.keys().next().value as number);
    this.#pages.set(owner * PAGES_PER_INDEX_MAX + page, bytes);
  }
}

export const sharedIndexPages: IndexPages = new IndexPages();
