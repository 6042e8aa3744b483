/** What was promised of one partition whose records are numbers, as plain data, and how a log is held against it. */

import { CorruptionError } from "../../../src/base/errors.ts";
import { RecordCursor } from "../../../src/base/record-decoder.ts";
import { batchByteLengthAt, viewOf } from "../../../src/log/batch/batch-header.ts";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { core } from "../../log/log-rig.ts";

/** Bytes of a read in checks: some batches come together, some alone. */
const READ_MAX_BYTES = 500;

export class PlainFacts {
  /** By offset: the number of the record there, -1 where nobody was told. */
  history: number[] = [];
  /** Numbers below this were handed over, in rising order. */
  sentCount = 0;
  acknowledgedEnd = 0;
  /** Below this a reader was shown records. */
  seenEnd = 0;
  /** Below this a loss of power takes nothing: on an "os" topic not everything that was acknowledged or seen. */
  durableEnd = 0;
  deletedBefore = 0;
  deletionAsked = 0;
  /**
   * Below this, all was durable before a flush reported success and kept nothing, as data-journalling ext4 may; `Infinity`: none did.
   * Until the power goes nobody can tell, and everything holds.
   */
  liedFrom: number = Number.POSITIVE_INFINITY;
  /** Then the power went: what was acknowledged after the lie may be gone. What was before it is there, or is told to be damaged. */
  lied = false;
  /** Some flush failed: what it should have written may come apart from what was written beside it, and be reported. */
  disturbed = false;

  clone(): PlainFacts {
    const clone = new PlainFacts();
    clone.history = this.history.slice();
    clone.sentCount = this.sentCount;
    clone.acknowledgedEnd = this.acknowledgedEnd;
    clone.seenEnd = this.seenEnd;
    clone.durableEnd = this.durableEnd;
    clone.deletedBefore = this.deletedBefore;
    clone.deletionAsked = this.deletionAsked;
    clone.liedFrom = this.liedFrom;
    clone.lied = this.lied;
    clone.disturbed = this.disturbed;
    return clone;
  }

  version(): number {
    return (((this.acknowledgedEnd * 64 + this.deletedBefore) * 64 + this.deletionAsked) * 64 + this.seenEnd) * 64 + this.durableEnd;
  }

  losePower(): void {
    this.lied ||= this.liedFrom < Number.POSITIVE_INFINITY;
    this.acknowledgedEnd = Math.min(this.acknowledgedEnd, this.durableEnd);
    this.seenEnd = Math.min(this.seenEnd, this.durableEnd);
  }

  /** From now on a flush may lie. */
  mayLie(): void {
    this.liedFrom = Math.min(this.liedFrom, this.durableEnd);
  }

  /** Appends a batch of fresh records; resolves when it is acknowledged. Written, or in the queue, when it returns. */
  async append(log: PartitionLog, recordCount: number, valueLength: number, timestamp: number): Promise<void> {
    const first = this.sentCount;
    this.sentCount += recordCount;
    const appended = await log.append(batchOf(first, recordCount, valueLength, timestamp), { recordCount, maxTimestamp: timestamp });
    for (let index = 0; index < recordCount; index += 1) this.#put(appended.baseOffset + index, first + index);
    const reach = await log.flushed(appended.lastOffset + 1);
    if (reach === "power") this.durableEnd = Math.max(this.durableEnd, appended.lastOffset + 1);
    this.acknowledgedEnd = Math.max(this.acknowledgedEnd, appended.lastOffset + 1);
    if (log.watermarks.highWatermark <= appended.lastOffset)
      throw new Error(`C1: ${appended.lastOffset} was acknowledged, and is behind the high watermark`);
  }

  /** Notes what readers may see now. On a "sync" topic nothing is shown before it is durable. */
  look(log: PartitionLog, isOs: boolean): void {
    this.seenEnd = Math.max(this.seenEnd, log.watermarks.highWatermark);
    if (!isOs) this.durableEnd = Math.max(this.durableEnd, this.seenEnd);
  }

  /**
   * Holds a log against all promises; then what is there is the truth. Throws what is wrong. `from`: the log is in use, and what lies below
   * was looked at when it was opened; null: it was opened just now, and what a recovery serves it has flushed.
   */
  async check(log: PartitionLog, from: number | null = null): Promise<void> {
    if (log.failure !== null) {
      if (this.lied) {
        await this.#readWhatIsLeft(log);
        return;
      }
      throw new Error(`C9: a crash was taken for damage: ${log.failure.message}`);
    }
    const { logStartOffset, highWatermark, logEndOffset } = log.watermarks;
    if (logStartOffset < this.deletedBefore && !this.lied)
      throw new Error(`C1: deleteRecords was confirmed to ${this.deletedBefore}, the log starts at ${logStartOffset}`);
    if (logStartOffset > Math.max(this.deletedBefore, this.deletionAsked))
      throw new Error(`C2: the log starts at ${logStartOffset}, which was never asked for`);
    if (highWatermark !== logEndOffset) throw new Error(`C1: the log ends at ${logEndOffset}, readers at ${highWatermark}`);
    if (this.lied) {
      await this.#readWhatIsLeft(log);
    } else {
      if (logEndOffset < this.acknowledgedEnd)
        throw new Error(`C1: ${this.acknowledgedEnd} were acknowledged, the log ends at ${logEndOffset}`);
      if (logEndOffset < this.seenEnd) throw new Error(`C4: ${this.seenEnd} were seen, the log ends at ${logEndOffset}`);
      await this.#read(log, Math.max(logStartOffset, from ?? 0), logEndOffset);
    }
    this.history.length = Math.max(logEndOffset, logStartOffset);
    this.acknowledgedEnd = this.seenEnd = logEndOffset;
    if (from === null) this.durableEnd = logEndOffset;
    this.deletedBefore = this.deletionAsked = logStartOffset;
  }

  /** Every record from `from` to `end`, each once, in the order in which it was handed over. */
  async #read(log: PartitionLog, from: number, end: number, found: Set<number> | null = null): Promise<void> {
    let before = -1;
    for (let offset = from; offset < end; ) {
      const bytes = await log.read(offset, READ_MAX_BYTES);
      // Of what was flushed by a lie nothing is promised; what was durable before it is missed by whoever asked for `found`.
      if (bytes.length === 0 && this.lied) return;
      if (bytes.length === 0) throw new Error(`C2: nothing at ${offset}, the log ends at ${end}`);
      const view = viewOf(bytes);
      for (let at = 0; at < bytes.length; at += batchByteLengthAt(view, at)) {
        const cursor = new RecordCursor(bytes, at);
        while (cursor.next()) {
          if (cursor.offset < offset) continue;
          if (cursor.offset !== offset && !this.lied) throw new Error(`C2: expected offset ${offset}, found ${cursor.offset}`);
          offset = cursor.offset;
          const number = numberIn(bytes, cursor.valueStart, cursor.valueLength);
          const expected = this.history[offset] ?? -1;
          if (expected >= 0 && number !== expected) throw new Error(`C3: at ${offset} expected record ${expected}, found ${number}`);
          if (number <= before || number >= this.sentCount)
            throw new Error(`C3: at ${offset} found record ${number}, after ${before} and of ${this.sentCount} sent`);
          before = number;
          this.#put(offset, number);
          found?.add(offset);
          offset += 1;
        }
      }
    }
  }

  /**
   * After a flush that lied, and a loss of power: damage is told by its type, with what it takes and where the log goes on; what is read
   * was sent; and of what was durable before the lie nothing is passed over in silence.
   */
  async #readWhatIsLeft(log: PartitionLog): Promise<void> {
    const { logStartOffset, highWatermark } = log.watermarks;
    const found = new Set<number>();
    const told: (readonly [first: number, last: number])[] = [];
    for (let from: number | null = logStartOffset; from !== null && from < highWatermark; ) {
      from = await this.#read(log, from, highWatermark, found).then(
        () => null,
        (error: unknown) => {
          if (!(error instanceof CorruptionError)) throw error;
          const { nextReadableOffset } = error;
          told.push([error.offsetRange[0], nextReadableOffset === null ? Number.POSITIVE_INFINITY : nextReadableOffset - 1]);
          if (nextReadableOffset !== null && nextReadableOffset <= (from as number))
            throw new Error(`C9: damage at ${from} is told to end at ${nextReadableOffset}`);
          return nextReadableOffset;
        },
      );
    }
    if (log.failure !== null) told.push([highWatermark, Number.POSITIVE_INFINITY]);
    for (let offset = logStartOffset; offset < this.liedFrom; offset += 1) {
      if (!found.has(offset) && !told.some(([first, last]) => offset >= first && offset <= last))
        throw new Error(
          `C1: ${offset} was durable before a flush lied (up to ${this.liedFrom}); it is not there, and no damage is told of (the log ends at ${highWatermark}, told: ${JSON.stringify(told)})`,
        );
    }
    this.liedFrom = Math.min(this.liedFrom, highWatermark);
  }

  #put(offset: number, number: number): void {
    while (this.history.length < offset) this.history.push(-1);
    this.history[offset] = number;
  }
}

const value = new Uint8Array(512);

/** Records of consecutive numbers: four bytes of number, the rest filled with its lowest. */
function batchOf(first: number, count: number, valueLength: number, timestamp: number): Uint8Array {
  const { writer } = core;
  writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  for (let number = first; number < first + count; number += 1) {
    value.fill(number & 0xff, 4, valueLength);
    value[0] = number >>> 24;
    value[1] = number >>> 16;
    value[2] = number >>> 8;
    value[3] = number;
    writer.append(null, value.subarray(0, Math.max(4, valueLength)), null, timestamp);
  }
  return writer.finish().slice();
}

function numberIn(bytes: Uint8Array, at: number, byteLength: number): number {
  const number = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  for (let next = at + 4; next < at + byteLength; next += 1)
    if (bytes[next] !== (number & 0xff)) throw new Error(`C3: record ${number} holds ${bytes[next]} where ${number & 0xff} was written`);
  return number;
}
