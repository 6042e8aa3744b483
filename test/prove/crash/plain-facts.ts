/** What was promised of one partition whose records are numbers, as plain data, and how a log is held against it. */

import { CorruptionError } from "../../../src/base/errors.ts";
import { RecordCursor } from "../../../src/base/record-decoder.ts";
import { batchByteLengthAt, viewOf } from "../../../src/log/batch-header.ts";
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
  /** A flush reported success and kept nothing, as data-journalling ext4 may: then other records than were sent are forbidden, a loss is not. */
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
    clone.lied = this.lied;
    clone.disturbed = this.disturbed;
    return clone;
  }

  version(): number {
    return (((this.acknowledgedEnd * 64 + this.deletedBefore) * 64 + this.deletionAsked) * 64 + this.seenEnd) * 64 + this.durableEnd;
  }

  losePower(): void {
    this.acknowledgedEnd = Math.min(this.acknowledgedEnd, this.durableEnd);
    this.seenEnd = Math.min(this.seenEnd, this.durableEnd);
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

  /** Holds a log just opened against all promises; then what is there is the truth. Throws what is wrong. `from`: below it was looked at before. */
  async check(log: PartitionLog, from = 0): Promise<void> {
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
      await this.#read(log, Math.max(logStartOffset, from), logEndOffset);
    }
    this.history.length = Math.max(logEndOffset, logStartOffset);
    // What a recovery serves it has flushed.
    this.acknowledgedEnd = this.seenEnd = this.durableEnd = logEndOffset;
    this.deletedBefore = this.deletionAsked = logStartOffset;
  }

  /** Every record from `from` to `end`, each once, in the order in which it was handed over. */
  async #read(log: PartitionLog, from: number, end: number): Promise<void> {
    let before = -1;
    for (let offset = from; offset < end; ) {
      const bytes = await log.read(offset, READ_MAX_BYTES);
      if (bytes.length === 0) throw new Error(`C2: nothing at ${offset}, the log ends at ${end}`);
      const view = viewOf(bytes);
      for (let at = 0; at < bytes.length; at += batchByteLengthAt(view, at)) {
        const cursor = new RecordCursor(bytes, at);
        while (cursor.next()) {
          if (cursor.offset < offset) continue;
          if (cursor.offset !== offset && !this.lied) throw new Error(`C2: expected offset ${offset}, found ${cursor.offset}`);
          offset = cursor.offset;
          const found = numberIn(bytes, cursor.valueStart, cursor.valueLength);
          const expected = this.history[offset] ?? -1;
          if (expected >= 0 && found !== expected) throw new Error(`C3: at ${offset} expected record ${expected}, found ${found}`);
          if (found <= before || found >= this.sentCount)
            throw new Error(`C3: at ${offset} found record ${found}, after ${before} and of ${this.sentCount} sent`);
          before = found;
          this.#put(offset, found);
          offset += 1;
        }
      }
    }
  }

  /** After a flush that lied: damage is told by its type, and what is read was sent. */
  async #readWhatIsLeft(log: PartitionLog): Promise<void> {
    const { logStartOffset, highWatermark } = log.watermarks;
    await this.#read(log, logStartOffset, highWatermark).catch((error: unknown) => {
      if (!(error instanceof CorruptionError)) throw error;
    });
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
