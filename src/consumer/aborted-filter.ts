/** Which batches of one fetch belong to transactions that were aborted. Pure; Kafka leaves this to the reader. */
import { readBigInt64, readInt16 } from "../base/big-endian.ts";
import { HEADER_BYTE_LENGTH, isControl, isTransactional, PRODUCER_ID_AT } from "../base/record-batch.ts";

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** A marker's key: version, then type. */
const MARKER_TYPE_AT = 2;
const ABORT_MARKER = 0;

/** Asked about every batch of the fetch, in order. */
export class AbortedFilter {
  readonly #waiting: AbortedTransaction[];
  readonly #open: Set<bigint> = new Set();

  /** `aborted` as the fetch answered it: sorted by first offset. */
  constructor(aborted: readonly AbortedTransaction[]) {
    // Last first, so that the next one is popped.
    this.#waiting = [...aborted].sort((a, b) => b.firstOffset - a.firstOffset);
  }

  /** Whether the batch at `at` is data that was taken back. A marker is not, but ends its producer's open transaction here. */
  drops(bytes: Uint8Array, at: number, attributes: number, lastOffset: number): boolean {
    for (;;) {
      const next = this.#waiting.at(-1);
      if (next === undefined || next.firstOffset > lastOffset) break;
      this.#open.add(next.producerId);
      this.#waiting.pop();
    }
    if (this.#open.size === 0 || !isTransactional(attributes)) return false;
    const producerId = readBigInt64(bytes, at + PRODUCER_ID_AT);
    if (!isControl(attributes)) return this.#open.has(producerId);
    if (isAbortMarker(bytes, at)) this.#open.delete(producerId);
    return false;
  }
}

function isAbortMarker(bytes: Uint8Array, at: number): boolean {
  //  ├ length ┼ attributes ┼ timestamp delta ┼ offset delta ┼ key length ┼ key …   all varints but the attributes
  let position = afterVarint(bytes, at + HEADER_BYTE_LENGTH) + 1;
  for (let varints = 0; varints < 3; varints++) position = afterVarint(bytes, position);
  return readInt16(bytes, position + MARKER_TYPE_AT) === ABORT_MARKER;
}

/** A varint ends at its first byte without the high bit. */
function afterVarint(bytes: Uint8Array, at: number): number {
  let position = at;
  while ((bytes[position] as number) >= 0x80) position += 1;
  return position + 1;
}
