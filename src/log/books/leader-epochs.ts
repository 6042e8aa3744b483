/** Kafka's `leader-epoch-checkpoint` of a partition: from which offset on batches carry which leader epoch. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { CorruptionError, OdradekError } from "../../base/errors.ts";
import { bookCorrupt, inDirectory, readWholeFile, replaceFile } from "../files/replace-file.ts";
import { setAside } from "../files/set-aside.ts";
import { CHECKPOINT_BYTE_LENGTH_MAX, decodeCheckpoint, encodeCheckpoint, excerpt, wholeNumber } from "./checkpoint-text.ts";

export const LEADER_EPOCH_FILE = "leader-epoch-checkpoint";

const EPOCH_MAX = 2 ** 31 - 1;

export interface LeaderEpoch {
  readonly epoch: number;
  /** The first offset that was, or will be, written under it. */
  readonly startOffset: number;
}

/** Changes are made one after another, each durable when it resolves; the answers change at that moment. */
export class LeaderEpochs {
  /** Why the file found could not be believed; the object then began empty. The first change sets that file aside. */
  readonly problem: string | null;
  readonly #storage: StorageDriver;
  readonly #directory: string;
  #entries: readonly LeaderEpoch[];
  #mustSetAside: boolean;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(storage: StorageDriver, directory: string, entries: readonly LeaderEpoch[], problem: string | null) {
    this.#storage = storage;
    this.#directory = directory;
    this.#entries = entries;
    this.problem = problem;
    this.#mustSetAside = problem !== null;
  }

  /** Reads alone: nothing is changed on disk. A missing file holds no epochs. */
  static async load(storage: StorageDriver, directory: string): Promise<LeaderEpochs> {
    const name = inDirectory(directory, LEADER_EPOCH_FILE);
    try {
      const bytes = await readWholeFile(storage, name, CHECKPOINT_BYTE_LENGTH_MAX);
      return new LeaderEpochs(storage, directory, bytes === null ? [] : decode(bytes, name), null);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      return new LeaderEpochs(storage, directory, [], error.message);
    }
  }

  /** Ascending. */
  entries(): readonly LeaderEpoch[] {
    return this.#entries;
  }

  latest(): LeaderEpoch | null {
    return this.#entries.at(-1) ?? null;
  }

  /** The epoch that a batch at this offset must carry; null below the first entry, or when there is none. */
  epochFor(offset: number): number | null {
    const entries = this.#entries;
    // From the end: what is asked for is nearly always the newest.
    for (let index = entries.length - 1; index >= 0; index--) {
      const entry = entries[index] as LeaderEpoch;
      if (entry.startOffset <= offset) return entry.epoch;
    }
    return null;
  }

  /** Begins an epoch. It must rise above the latest; entries at or behind `startOffset`, under which nothing remains, go. */
  assign(epoch: number, startOffset: number): Promise<void> {
    return this.#change((entries) => {
      const latest = entries.at(-1);
      if (!isEpoch(epoch) || !isOffset(startOffset) || (latest !== undefined && epoch <= latest.epoch)) {
        const above = latest === undefined ? "of 0 or more" : `above ${latest.epoch}`;
        throw new OdradekError(
          "UNKNOWN_SERVER_ERROR",
          `${this.#name()}: expected an epoch ${above}, found epoch ${epoch} at offset ${startOffset}`,
        );
      }
      return [...entries.filter((entry) => entry.startOffset < startOffset), { epoch, startOffset }];
    });
  }

  /** Forgets epochs that begin at or behind the log's new end. A writer that must not use one of them again asks `latest()` first. */
  truncateFromEnd(endOffset: number): Promise<void> {
    return this.#change((entries) => entries.filter((entry) => entry.startOffset < endOffset));
  }

  /** As Kafka: epochs before the log's new start go, the one that holds it is moved up to it. */
  truncateFromStart(startOffset: number): Promise<void> {
    return this.#change((entries) => {
      const holding = entries.findLast((entry) => entry.startOffset <= startOffset);
      if (holding === undefined) return entries;
      return [{ epoch: holding.epoch, startOffset }, ...entries.filter((entry) => entry.startOffset > startOffset)];
    });
  }

  #change(next: (entries: readonly LeaderEpoch[]) => readonly LeaderEpoch[]): Promise<void> {
    const run = this.#turn.then(async () => {
      const entries = next(this.#entries);
      if (isSame(entries, this.#entries) && !this.#mustSetAside) return;
      if (this.#mustSetAside) await setAside(this.#storage, this.#directory, LEADER_EPOCH_FILE);
      this.#mustSetAside = false;
      const lines = entries.map((entry) => `${entry.epoch} ${entry.startOffset}`);
      await replaceFile(this.#storage, this.#directory, LEADER_EPOCH_FILE, encodeCheckpoint(lines));
      this.#entries = entries;
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  #name(): string {
    return inDirectory(this.#directory, LEADER_EPOCH_FILE);
  }
}

function decode(bytes: Uint8Array, file: string): LeaderEpoch[] {
  const entries: LeaderEpoch[] = [];
  for (const columns of decodeCheckpoint(bytes, file, 2)) {
    const [epoch, startOffset] = columns.map(wholeNumber) as [number | null, number | null];
    const before = entries.at(-1);
    const wrong = (reason: string): CorruptionError =>
      bookCorrupt(file, `${reason}, found "${excerpt(columns.join(" "))}"`, [0, bytes.byteLength]);
    if (epoch === null || startOffset === null || epoch > EPOCH_MAX) throw wrong(`expected "<epoch> <startOffset>"`);
    if (before !== undefined && (epoch <= before.epoch || startOffset < before.startOffset)) {
      throw wrong(`expected epochs and offsets to rise after "${before.epoch} ${before.startOffset}"`);
    }
    entries.push({ epoch, startOffset });
  }
  return entries;
}

function isEpoch(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= EPOCH_MAX;
}

function isOffset(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isSame(left: readonly LeaderEpoch[], right: readonly LeaderEpoch[]): boolean {
  return (
    left.length === right.length &&
    left.every((entry, index) => entry.epoch === right[index]?.epoch && entry.startOffset === right[index]?.startOffset)
  );
}
