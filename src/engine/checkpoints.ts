/**
 * Kafka's four checkpoint files at the top of the data directory: what a broker that opens it next goes by.
 * Our own recovery trusts `odradek.state` first; these lines are for a directory that Kafka wrote, or will read.
 */
import type { TopicPartition } from "../api/bytes.ts";
import type { StorageDriver } from "../api/storage-driver.ts";
import { CorruptionError } from "../base/errors.ts";
import { readOffsetCheckpoint, writeOffsetCheckpoint } from "../log/books/checkpoint-file.ts";
import { parsePartitionDirectoryName, partitionDirectoryName } from "../log/files/file-names.ts";
import { setAside } from "../log/files/set-aside.ts";
import type { PartitionLog, PartitionSpec } from "../log/partition-log.ts";
import type { Events } from "./events.ts";

const RECOVERY_POINT = "recovery-point-offset-checkpoint";
const LOG_START = "log-start-offset-checkpoint";
const HIGH_WATERMARK = "replication-offset-checkpoint";
const CLEANER = "cleaner-offset-checkpoint";

type Lines = Map<string, number>;

interface Book {
  readonly file: string;
  readonly lines: Lines;
  /** What the file says, as far as it could be read: nothing is written where nothing moved. */
  written: string;
  /** A writing of it failed: it may say what it said before, or what it was to say. */
  isUncertain: boolean;
}

export class Checkpoints {
  readonly #storage: StorageDriver;
  readonly #recoveryPoints: Lines;
  readonly #logStarts: Lines;
  readonly #highWatermarks: Lines;
  readonly #firstDirty: Lines;
  readonly #books: readonly Book[];
  /** Directories that the files have a line for, or may have. */
  readonly #onDisk: Set<string>;
  #turn: Promise<void> = Promise.resolve();

  private constructor(storage: StorageDriver, recoveryPoints: Lines, logStarts: Lines, highWatermarks: Lines, firstDirty: Lines) {
    this.#storage = storage;
    this.#recoveryPoints = recoveryPoints;
    this.#logStarts = logStarts;
    this.#highWatermarks = highWatermarks;
    this.#firstDirty = firstDirty;
    const book = (file: string, lines: Lines): Book => ({ file, lines, written: stateOf(lines), isUncertain: false });
    this.#books = [
      book(RECOVERY_POINT, recoveryPoints),
      book(LOG_START, logStarts),
      book(HIGH_WATERMARK, highWatermarks),
      book(CLEANER, firstDirty),
    ];
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
    return new Checkpoints(storage, await read(RECOVERY_POINT), await read(LOG_START), await read(HIGH_WATERMARK), await read(CLEANER));
  }

  of(at: TopicPartition): PartitionSpec["checkpoint"] {
    const name = partitionDirectoryName(at.topic, at.partition);
    return {
      recoveryPoint: this.#recoveryPoints.get(name) ?? null,
      logStartOffset: this.#logStarts.get(name) ?? null,
      firstDirtyOffset: this.#firstDirty.get(name) ?? null,
    };
  }

  /** The lines go with the next writing of the files. */
  forget(at: TopicPartition): void {
    const name = partitionDirectoryName(at.topic, at.partition);
    for (const { lines } of this.#books) lines.delete(name);
  }

  /** Durable when it resolves. A partition made under a name that was there before must not begin where the old one did. */
  async forgetDurably(at: TopicPartition): Promise<void> {
    this.forget(at);
    if (this.#onDisk.has(partitionDirectoryName(at.topic, at.partition))) await this.#writeFiles(this.#books);
  }

  /** Lines of partitions that are not ours to change stay as they were found. Writes nothing when nothing moved. */
  async write(logs: readonly PartitionLog[]): Promise<void> {
    for (const log of logs) {
      if (log.spec.frozen) continue;
      const { logStartOffset, highWatermark } = log.watermarks;
      this.#recoveryPoints.set(log.spec.directory, log.recoveryPoint);
      this.#logStarts.set(log.spec.directory, logStartOffset);
      this.#highWatermarks.set(log.spec.directory, highWatermark);
      this.#noteFirstDirty(log);
    }
    await this.#writeFiles(this.#books);
  }

  /** After a compaction: where the next one begins. Durable when it resolves; what is lost of it costs a longer pass. */
  async writeFirstDirty(log: PartitionLog): Promise<void> {
    this.#noteFirstDirty(log);
    await this.#writeFiles(this.#books.filter(({ file }) => file === CLEANER));
  }

  #noteFirstDirty({ spec, firstDirtyOffset }: PartitionLog): void {
    if (firstDirtyOffset !== null) this.#firstDirty.set(spec.directory, firstDirtyOffset);
  }

  /** One writing after another: they share their temporary files. */
  #writeFiles(books: readonly Book[]): Promise<void> {
    const run = this.#turn.then(async () => {
      for (const name of this.#names()) this.#onDisk.add(name);
      for (const book of books) {
        const state = stateOf(book.lines);
        if (state === book.written && !book.isUncertain) continue;
        book.isUncertain = true;
        await writeOffsetCheckpoint(this.#storage, book.file, [...entries(book.lines)]);
        book.isUncertain = false;
        book.written = state;
      }
      if (this.#books.some(({ isUncertain }) => isUncertain)) return;
      // A line may still stand in a file that was not written now.
      const onDisk = new Set(this.#books.flatMap(({ written }) => [...(JSON.parse(written) as [string, number][])].map(([name]) => name)));
      for (const name of this.#onDisk) if (!onDisk.has(name)) this.#onDisk.delete(name);
    });
    this.#turn = run.catch(() => {});
    return run;
  }

  #names(): Set<string> {
    return new Set(this.#books.flatMap(({ lines }) => [...lines.keys()]));
  }
}

function stateOf(lines: Lines): string {
  return JSON.stringify([...lines]);
}

function* entries(lines: Lines): Generator<[TopicPartition, number]> {
  // Each name was made of a topic and a partition.
  for (const [name, offset] of lines) yield [parsePartitionDirectoryName(name) as TopicPartition, offset];
}
