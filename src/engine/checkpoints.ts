/**
 * Kafka's three checkpoint files at the top of the data directory: what a broker that opens it next goes by.
 * Our own recovery trusts `odradek.state` first; these lines are for a directory that Kafka wrote, or will read.
 */
import type { TopicPartition } from "../api/bytes.ts";
import type { StorageDriver } from "../api/storage-driver.ts";
import { CorruptionError } from "../base/errors.ts";
import { readOffsetCheckpoint, writeOffsetCheckpoint } from "../log/checkpoint-file.ts";
import { parsePartitionDirectoryName, partitionDirectoryName } from "../log/file-names.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import { setAside } from "../log/set-aside.ts";
import type { Events } from "./events.ts";

const RECOVERY_POINT = "recovery-point-offset-checkpoint";
const LOG_START = "log-start-offset-checkpoint";
const HIGH_WATERMARK = "replication-offset-checkpoint";

type Lines = Map<string, number>;

export class Checkpoints {
  readonly #storage: StorageDriver;
  readonly #recoveryPoints: Lines;
  readonly #logStarts: Lines;
  readonly #highWatermarks: Lines;
  /** What the files say, as far as they could be read: nothing is written where nothing moved. */
  #written: string;
  /** Directories that the files have a line for, or may have. */
  readonly #onDisk: Set<string>;
  #turn: Promise<void> = Promise.resolve();

  private constructor(storage: StorageDriver, recoveryPoints: Lines, logStarts: Lines, highWatermarks: Lines) {
    this.#storage = storage;
    this.#recoveryPoints = recoveryPoints;
    this.#logStarts = logStarts;
    this.#highWatermarks = highWatermarks;
    this.#written = this.#state();
    this.#onDisk = new Set(this.#names());
  }

  /** A file that cannot be believed is set aside and counts as absent: recovery then reads more, and loses nothing. */
  static async load(storage: StorageDriver, events: Events, readOnly: boolean): Promise<Checkpoints> {
    const read = async (file: string): Promise<Lines> => {
      try {
        return (await readOffsetCheckpoint(storage, file)) ?? new Map();
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        const setAsideAs = readOnly ? null : await setAside(storage, "", file);
        events.emit("book.rebuilt", { file, reason: error.message, setAsideAs });
        return new Map();
      }
    };
    return new Checkpoints(storage, await read(RECOVERY_POINT), await read(LOG_START), await read(HIGH_WATERMARK));
  }

  of(at: TopicPartition): { readonly recoveryPoint: number | null; readonly logStartOffset: number | null } {
    const name = partitionDirectoryName(at.topic, at.partition);
    return { recoveryPoint: this.#recoveryPoints.get(name) ?? null, logStartOffset: this.#logStarts.get(name) ?? null };
  }

  /** The lines go with the next writing of the files. */
  forget(at: TopicPartition): void {
    const name = partitionDirectoryName(at.topic, at.partition);
    for (const lines of [this.#recoveryPoints, this.#logStarts, this.#highWatermarks]) lines.delete(name);
  }

  /** Durable when it resolves. A partition made under a name that was there before must not begin where the old one did. */
  async forgetDurably(at: TopicPartition): Promise<void> {
    this.forget(at);
    if (this.#onDisk.has(partitionDirectoryName(at.topic, at.partition))) await this.#writeFiles();
  }

  /** Lines of partitions that are not ours to change stay as they were found. Writes nothing when nothing moved. */
  async write(logs: readonly PartitionLog[]): Promise<void> {
    for (const log of logs) {
      if (log.spec.frozen) continue;
      const { logStartOffset, highWatermark } = log.watermarks;
      this.#recoveryPoints.set(log.spec.directory, log.recoveryPoint);
      this.#logStarts.set(log.spec.directory, logStartOffset);
      this.#highWatermarks.set(log.spec.directory, highWatermark);
    }
    await this.#writeFiles();
  }

  /** One writing after another: they share their temporary files. */
  #writeFiles(): Promise<void> {
    const run = this.#turn.then(async () => {
      const state = this.#state();
      if (state === this.#written) return;
      const files = [[...entries(this.#recoveryPoints)], [...entries(this.#logStarts)], [...entries(this.#highWatermarks)]] as const;
      const names = this.#names();
      for (const name of names) this.#onDisk.add(name);
      await writeOffsetCheckpoint(this.#storage, RECOVERY_POINT, files[0]);
      await writeOffsetCheckpoint(this.#storage, LOG_START, files[1]);
      await writeOffsetCheckpoint(this.#storage, HIGH_WATERMARK, files[2]);
      for (const name of this.#onDisk) if (!names.has(name)) this.#onDisk.delete(name);
      this.#written = state;
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  #names(): Set<string> {
    return new Set([...this.#recoveryPoints.keys(), ...this.#logStarts.keys(), ...this.#highWatermarks.keys()]);
  }

  #state(): string {
    return JSON.stringify([[...this.#recoveryPoints], [...this.#logStarts], [...this.#highWatermarks]]);
  }
}

function* entries(lines: Lines): Generator<[TopicPartition, number]> {
  for (const [name, offset] of lines) {
    const parsed = parsePartitionDirectoryName(name);
    if (parsed !== null) yield [parsed, offset];
  }
}
