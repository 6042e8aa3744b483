/** The entries of one segment's `.txnindex` in memory, as bytes: looked up in Kafka's way, and how many of them the file has. */
import type { Bytes } from "../../api/bytes.ts";
import {
  type AbortedTransaction,
  firstOffsetOfEntry,
  lastOffsetOfEntry,
  lastStableOffsetOfEntry,
  readTransactionEntry,
  TXN_ENTRY_BYTE_LENGTH,
  writeTransactionEntry,
} from "./transaction-index.ts";

const FIRST_ENTRY_COUNT = 8;

export class TransactionEntries {
  #bytes: Bytes;
  #byteLength: number;
  /** How much of the file is known to hold these bytes, durably; -1: the file may hold anything. */
  durableByteLength: number;

  constructor(bytes: Bytes = new Uint8Array(0), durableByteLength: number = bytes.byteLength) {
    this.#bytes = bytes;
    this.#byteLength = bytes.byteLength;
    this.durableByteLength = durableByteLength;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** A view: for this turn only. */
  bytes(): Bytes {
    return this.#bytes.subarray(0, this.#byteLength);
  }

  /** Its marker stands behind those of all entries before. */
  add(entry: AbortedTransaction): void {
    const byteLength = this.#byteLength + TXN_ENTRY_BYTE_LENGTH;
    if (byteLength > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(FIRST_ENTRY_COUNT * TXN_ENTRY_BYTE_LENGTH, 2 * this.#byteLength));
      larger.set(this.bytes());
      this.#bytes = larger;
    }
    writeTransactionEntry(this.#bytes, this.#byteLength, entry);
    this.#byteLength = byteLength;
  }

  /** The bytes of those whose marker stands below `offset`. */
  byteLengthBelow(offset: number): number {
    return this.#firstFrom(offset);
  }

  /** Drops entries whose marker stands at or behind `offset`. */
  truncateTo(offset: number): void {
    const byteLength = this.#firstFrom(offset);
    if (byteLength === this.#byteLength) return;
    this.#byteLength = byteLength;
    if (this.durableByteLength > this.#byteLength) this.durableByteLength = -1;
  }

  /**
   * Adds to `into` those that overlap [from, end). Answers whether no later entry can: Kafka's rule, by the last stable offset
   * that each entry carries.
   */
  collect(from: number, end: number, into: AbortedTransaction[]): boolean {
    const bytes = this.#bytes;
    for (let at = this.#firstFrom(from); at < this.#byteLength; at += TXN_ENTRY_BYTE_LENGTH) {
      if (firstOffsetOfEntry(bytes, at) < end) into.push(readTransactionEntry(bytes, at));
      if (lastStableOffsetOfEntry(bytes, at) >= end) return true;
    }
    return false;
  }

  /** Where the first entry stands whose marker is at or behind `offset`. */
  #firstFrom(offset: number): number {
    let low = 0;
    let high = this.#byteLength / TXN_ENTRY_BYTE_LENGTH;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (lastOffsetOfEntry(this.#bytes, middle * TXN_ENTRY_BYTE_LENGTH) < offset) low = middle + 1;
      else high = middle;
    }
    return low * TXN_ENTRY_BYTE_LENGTH;
  }
}
