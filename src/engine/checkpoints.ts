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
  #written = "";

  private constructor(storage: StorageDriver, recoveryPoints: Lines, logStarts: Lines, highWatermarks: Lines) {
    this.#storage = storage;
    this.#recoveryPoints = recoveryPoints;
    this.#logStarts = logStarts;
    this.#highWatermarks = highWatermarks;
  }

  /** A file that cannot be believed is told of and counts as absent: recovery then reads more, and loses nothing. */
  static async load(storage: StorageDriver, events: Events): Promise<Checkpoints> {
    const read = async (file: string): Promise<Lines> => {
      try {
        return (await readOffsetCheckpoint(storage, file)) ?? new Map();
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        events.emit("book.rebuilt", { file, reason: error.message });
        return new Map();
      }
    };
    return new Checkpoints(storage, await read(RECOVERY_POINT), await read(LOG_START), await read(HIGH_WATERMARK));
  }

  of(at: TopicPartition): { readonly recoveryPoint: number | null; readonly logStartOffset: number | null } {
    const name = partitionDirectoryName(at.topic, at.partition);
    return { recoveryPoint: this.#recoveryPoints.get(name) ?? null, logStartOffset: this.#logStarts.get(name) ?? null };
  }

  forget(at: TopicPartition): void {
    const name = partitionDirectoryName(at.topic, at.partition);
    for (const lines of [this.#recoveryPoints, this.#logStarts, this.#highWatermarks]) lines.delete(name);
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
    const state = JSON.stringify([[...this.#recoveryPoints], [...this.#logStarts], [...this.#highWatermarks]]);
    if (state === this.#written) return;
    await writeOffsetCheckpoint(this.#storage, RECOVERY_POINT, entries(this.#recoveryPoints));
    await writeOffsetCheckpoint(this.#storage, LOG_START, entries(this.#logStarts));
    await writeOffsetCheckpoint(this.#storage, HIGH_WATERMARK, entries(this.#highWatermarks));
    this.#written = state;
  }
}

function* entries(lines: Lines): Generator<[TopicPartition, number]> {
  for (const [name, offset] of lines) {
    const parsed = parsePartitionDirectoryName(name);
    if (parsed !== null) yield [parsed, offset];
  }
}
