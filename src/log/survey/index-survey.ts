/** Holds a segment's two indexes against the batches of its log, while these are walked. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import {
  OFFSET_ENTRY_BYTE_LENGTH,
  offsetEntryPosition,
  offsetEntryRelativeOffset,
  TIME_ENTRY_BYTE_LENGTH,
  timeEntryRelativeOffset,
  timeEntryTimestamp,
} from "../../core/index-entries.ts";
import type { ScannedBatch } from "../batch/batch-scan.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory, readWholeFile } from "../files/replace-file.ts";

/** Kafka's largest setting of `segment.index.bytes` leaves far more room than any index takes. */
const INDEX_BYTE_LENGTH_MAX = 512 * 1024 * 1024;

export interface IndexProblem {
  readonly file: string;
  readonly byteRange: readonly [number, number];
  readonly offset: number | null;
  readonly problem: string;
}

export class IndexSurvey {
  readonly #baseOffset: number;
  readonly #isOurs: boolean;
  readonly #offsets: Entries | null;
  readonly #times: Entries | null;
  readonly #names: readonly [offsetIndex: string, timeIndex: string];
  #maxTimestamp = -1;
  #nextOffsetEntry = 0;
  #nextTimeEntry = 0;
  #endOffset: number;
  readonly #problems: IndexProblem[] = [];

  private constructor(
    baseOffset: number,
    isOurs: boolean,
    names: readonly [string, string],
    offsets: Entries | null,
    times: Entries | null,
  ) {
    this.#baseOffset = baseOffset;
    this.#isOurs = isOurs;
    this.#names = names;
    this.#offsets = offsets;
    this.#times = times;
    this.#endOffset = baseOffset;
  }

  /** `isOurs`: an entry is made for each batch on its own; Kafka before 4.0 made one for a whole append. */
  static async load(storage: StorageDriver, directory: string, baseOffset: number, isOurs: boolean): Promise<IndexSurvey> {
    const names = [segmentFileName(baseOffset, "index"), segmentFileName(baseOffset, "timeindex")].map((name) =>
      inDirectory(directory, name),
    ) as [string, string];
    const offsets = await readWholeFile(storage, names[0], INDEX_BYTE_LENGTH_MAX);
    const times = await readWholeFile(storage, names[1], INDEX_BYTE_LENGTH_MAX);
    const survey = new IndexSurvey(
      baseOffset,
      isOurs,
      names,
      offsets === null ? null : new Entries(offsets, OFFSET_ENTRY_BYTE_LENGTH),
      times === null ? null : new Entries(times, TIME_ENTRY_BYTE_LENGTH),
    );
    survey.#checkOrder();
    return survey;
  }

  /** Every readable batch of the segment, in order. */
  take(batch: ScannedBatch): void {
    const offsets = this.#offsets;
    while (offsets !== null && this.#nextOffsetEntry < offsets.count) {
      const index = this.#nextOffsetEntry;
      const position = offsetEntryPosition(offsets.bytes, index);
      if (position > batch.position) break;
      const offset = this.#baseOffset + offsetEntryRelativeOffset(offsets.bytes, index);
      const fits = position === batch.position && (this.#isOurs ? offset === batch.lastOffset : offset >= batch.baseOffset);
      if (!fits)
        this.#wrong(0, index, offset, `points to position ${position} for offset ${offset}, where no batch with that offset begins`);
      this.#nextOffsetEntry += 1;
    }
    const times = this.#times;
    while (times !== null && this.#nextTimeEntry < times.count) {
      const index = this.#nextTimeEntry;
      const offset = this.#baseOffset + timeEntryRelativeOffset(times.bytes, index);
      if (offset >= batch.lastOffset) break;
      this.#checkTime(index);
    }
    this.#maxTimestamp = Math.max(this.#maxTimestamp, batch.maxTimestamp);
    this.#endOffset = batch.lastOffset + 1;
  }

  /** After the last batch. `byteLength`: where the log's readable part ends. */
  finish(byteLength: number): readonly IndexProblem[] {
    if (this.#offsets === null) this.#missing(0);
    if (this.#times === null) this.#missing(1);
    while (this.#offsets !== null && this.#nextOffsetEntry < this.#offsets.count) {
      const index = this.#nextOffsetEntry++;
      const position = offsetEntryPosition(this.#offsets.bytes, index);
      const offset = this.#baseOffset + offsetEntryRelativeOffset(this.#offsets.bytes, index);
      this.#wrong(0, index, offset, `points to position ${position} for offset ${offset}; the log's batches end at ${byteLength}`);
    }
    while (this.#times !== null && this.#nextTimeEntry < this.#times.count) {
      const index = this.#nextTimeEntry;
      const offset = this.#baseOffset + timeEntryRelativeOffset(this.#times.bytes, index);
      if (offset >= this.#endOffset)
        this.#wrong(1, index, offset, `speaks of offset ${offset}; the segment's batches end before ${this.#endOffset}`);
      this.#checkTime(index);
    }
    return this.#problems;
  }

  #checkTime(index: number): void {
    const times = this.#times as Entries;
    const timestamp = timeEntryTimestamp(times.bytes, index);
    const offset = this.#baseOffset + timeEntryRelativeOffset(times.bytes, index);
    if (this.#maxTimestamp > timestamp) {
      this.#wrong(
        1,
        index,
        offset,
        `says that up to offset ${offset} nothing is later than ${timestamp}; a batch there reaches ${this.#maxTimestamp}`,
      );
    }
    this.#nextTimeEntry += 1;
  }

  #checkOrder(): void {
    const offsets = this.#offsets;
    for (let index = 1; offsets !== null && index < offsets.count; index += 1) {
      const rises =
        offsetEntryRelativeOffset(offsets.bytes, index) > offsetEntryRelativeOffset(offsets.bytes, index - 1) &&
        offsetEntryPosition(offsets.bytes, index) > offsetEntryPosition(offsets.bytes, index - 1);
      if (!rises) this.#wrong(0, index, null, "does not rise above the entry before it");
    }
    const times = this.#times;
    for (let index = 1; times !== null && index < times.count; index += 1) {
      const rises =
        timeEntryTimestamp(times.bytes, index) > timeEntryTimestamp(times.bytes, index - 1) &&
        timeEntryRelativeOffset(times.bytes, index) >= timeEntryRelativeOffset(times.bytes, index - 1);
      if (!rises) this.#wrong(1, index, null, "does not rise above the entry before it");
    }
    for (const [which, entries] of [offsets, times].entries()) {
      if (entries !== null && entries.remainder !== 0) {
        const at = entries.bytes.byteLength - entries.remainder;
        this.#add(which, [at, entries.bytes.byteLength], null, `ends with ${entries.remainder} bytes that are no whole entry`);
      }
    }
  }

  #missing(which: number): void {
    if (this.#endOffset > this.#baseOffset) this.#add(which, [0, 0], null, "is not there");
  }

  #wrong(which: number, index: number, offset: number | null, problem: string): void {
    const byteLength = which === 0 ? OFFSET_ENTRY_BYTE_LENGTH : TIME_ENTRY_BYTE_LENGTH;
    this.#add(which, [index * byteLength, (index + 1) * byteLength], offset, `entry ${index} ${problem}`);
  }

  /** One sentence for each file: the first tells enough, since the whole file is made anew. */
  #add(which: number, byteRange: readonly [number, number], offset: number | null, problem: string): void {
    const file = this.#names[which] as string;
    if (!this.#problems.some((each) => each.file === file)) this.#problems.push({ file, byteRange, offset, problem });
  }
}

/** The entries of an index file, without the unwritten space of one that grew ahead. */
class Entries {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** Bytes at the end that make no entry. */
  readonly remainder: number;

  constructor(bytes: Uint8Array, entryByteLength: number) {
    let end = bytes.byteLength;
    while (end > 0 && bytes[end - 1] === 0) end -= 1;
    this.bytes = bytes;
    this.count = Math.min(Math.ceil(end / entryByteLength), Math.floor(bytes.byteLength / entryByteLength));
    this.remainder = end > this.count * entryByteLength ? bytes.byteLength % entryByteLength : 0;
  }
}
