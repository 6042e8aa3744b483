/** A storage whose machine dies at a chosen call, and the oracle that knows what must have survived. */
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import type { CrashStorage } from "../../src/testing/crash-storage.ts";
import { append, type PlainRecord, type ReadRecord, readAll } from "../log/log-rig.ts";

/** Halts `storage` just before its `callCount`-th call, counted over files and names alike. */
export class DyingStorage implements StorageDriver {
  readonly durability = "power";
  readonly atomicReplace = true;
  readonly directorySync = true;
  readonly sharedReaders = false;
  readonly aheadByteLength: number;
  readonly #storage: CrashStorage;
  #left: number;
  callCount = 0;

  constructor(storage: CrashStorage, callsLeft: number) {
    this.#storage = storage;
    this.aheadByteLength = storage.aheadByteLength;
    this.#left = callsLeft;
  }

  #count(): void {
    this.callCount += 1;
    this.#left -= 1;
    if (this.#left === 0) this.#storage.halt();
  }

  async open(...args: Parameters<StorageDriver["open"]>): Promise<StorageFile> {
    this.#count();
    const file = await this.#storage.open(...args);
    const counted = <Call extends (...args: never[]) => unknown>(call: Call): Call =>
      ((...callArgs: never[]) => {
        this.#count();
        return call.apply(file, callArgs);
      }) as Call;
    return {
      readAt: (into, position) => file.readAt(into, position),
      byteLength: () => file.byteLength(),
      modifiedAt: () => file.modifiedAt(),
      readAhead: (position, byteLength) => file.readAhead(position, byteLength),
      writeAt: counted(file.writeAt),
      truncate: counted(file.truncate),
      sync: counted(file.sync),
      close: () => file.close(),
    };
  }

  list(directory: string): ReturnType<StorageDriver["list"]> {
    return this.#storage.list(directory);
  }
  createDirectory(directory: string): Promise<void> {
    this.#count();
    return this.#storage.createDirectory(directory);
  }
  removeDirectory(directory: string): Promise<void> {
    this.#count();
    return this.#storage.removeDirectory(directory);
  }
  replace(from: string, to: string): Promise<void> {
    this.#count();
    return this.#storage.replace(from, to);
  }
  renameDirectory(from: string, to: string): Promise<void> {
    this.#count();
    return this.#storage.renameDirectory(from, to);
  }
  remove(name: string): Promise<void> {
    this.#count();
    return this.#storage.remove(name);
  }
  syncDirectory(directory: string): Promise<void> {
    this.#count();
    return this.#storage.syncDirectory(directory);
  }
  lock(...args: Parameters<StorageDriver["lock"]>): ReturnType<StorageDriver["lock"]> {
    return this.#storage.lock(...args);
  }
  async close(): Promise<void> {}
}

/** What was appended, in order, and how far a promise was made of it. */
export class Oracle {
  /** By offset: what stands there, as far as anyone was told. */
  readonly history: PlainRecord[] = [];
  /** Below this everything was acknowledged. */
  acknowledgedEnd = 0;
  /** Below this a reader was shown records. */
  seenEnd = 0;
  /** Nothing below this may come back. */
  deletedBefore = 0;
  /** A deletion that was asked for and not yet confirmed. */
  deletionAsked = 0;
  #count = 0;

  /** Appends a batch of fresh records; answers a promise that settles when it is acknowledged or refused. */
  append(log: PartitionLog, recordCount: number, valueLength: number, timestamp: number): Promise<void> {
    const records = Array.from({ length: recordCount }, () => {
      this.#count += 1;
      return { value: `${this.#count}:`.padEnd(valueLength, "x"), timestamp };
    });
    const run = async (): Promise<void> => {
      const appended = await append(log, records);
      for (const [index, record] of records.entries()) this.history[appended.baseOffset + index] = record;
      await log.flushed(appended.lastOffset + 1);
      this.acknowledgedEnd = Math.max(this.acknowledgedEnd, appended.lastOffset + 1);
      if (log.watermarks.highWatermark <= appended.lastOffset) throw new Error("C1: acknowledged, but behind the high watermark");
    };
    return run();
  }

  /** Notes what readers may see now. */
  look(log: PartitionLog): void {
    this.seenEnd = Math.max(this.seenEnd, log.watermarks.highWatermark);
  }

  /** Checks a recovered log against all promises, then takes what is there as the truth. Answers what is wrong, or null. */
  async check(log: PartitionLog): Promise<string | null> {
    const marks = log.watermarks;
    if (log.failure !== null) return `C9: a crash was taken for damage: ${log.failure.message}`;
    const records: ReadRecord[] = await readAll(log, marks.logStartOffset, 700);
    if (marks.logStartOffset < this.deletedBefore)
      return `deleteRecords: start ${marks.logStartOffset} is below the confirmed ${this.deletedBefore}`;
    if (marks.logStartOffset > Math.max(this.deletedBefore, this.deletionAsked)) return `start ${marks.logStartOffset} was never asked for`;
    const end = records.length === 0 ? marks.logStartOffset : (records.at(-1) as ReadRecord).offset + 1;
    if (marks.highWatermark !== marks.logEndOffset) return `recovered bytes are not all visible: ${JSON.stringify(marks)}`;
    if (end !== marks.logEndOffset) return `the log ends at ${marks.logEndOffset}, its records at ${end}`;
    if (marks.logEndOffset < this.acknowledgedEnd)
      return `C1: ${this.acknowledgedEnd} were acknowledged, the log ends at ${marks.logEndOffset}`;
    if (marks.logEndOffset < this.seenEnd) return `C4: ${this.seenEnd} were seen, the log ends at ${marks.logEndOffset}`;
    let offset = marks.logStartOffset;
    for (const record of records) {
      if (record.offset < marks.logStartOffset) continue;
      if (record.offset !== offset) return `C2: expected offset ${offset}, found ${record.offset}`;
      const expected = this.history[offset];
      if (expected !== undefined && expected.value !== record.value)
        return `C3: at ${offset} expected ${expected.value}, found ${record.value}`;
      if (expected === undefined) this.history[offset] = record; // written, but its sender never heard of it
      offset += 1;
    }
    this.history.length = Math.max(marks.logEndOffset, marks.logStartOffset);
    this.acknowledgedEnd = marks.logEndOffset;
    this.seenEnd = marks.logEndOffset;
    this.deletedBefore = marks.logStartOffset;
    return null;
  }
}
