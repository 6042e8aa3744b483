/** The `.snapshot` files of a partition: which there are, the newest that can be believed, and which are of no more use. */
import type { Bytes } from "../../api/bytes.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { parseSegmentFileName, segmentFileName } from "../files/file-names.ts";
import { inDirectory, readWholeFile, removeIfPresent, replaceFile } from "../files/replace-file.ts";
import type { ProducerEntry } from "./producer-entry.ts";
import { decodeProducerSnapshot, encodeProducerSnapshot, SNAPSHOT_BYTE_LENGTH_MAX } from "./producer-snapshot.ts";
import type { ProducerTable } from "./producer-table.ts";

/** What a crash leaves of one being written. */
const UNFINISHED = /^[0-9]{20}\.snapshot\.tmp$/;

export class ProducerSnapshots {
  readonly #context: LogContext;
  readonly #spec: PartitionSpec;
  readonly #offsets: Set<number> = new Set();
  #unfinished: readonly string[];

  /** `names`: the files of the partition's directory. */
  constructor(context: LogContext, spec: PartitionSpec, names: Iterable<string>) {
    this.#context = context;
    this.#spec = spec;
    const unfinished: string[] = [];
    for (const name of names) {
      const parsed = parseSegmentFileName(name);
      if (parsed?.kind === "snapshot" && parsed.suffix === "") this.#offsets.add(parsed.baseOffset);
      else if (UNFINISHED.test(name)) unfinished.push(name);
    }
    this.#unfinished = unfinished;
  }

  has(offset: number): boolean {
    return this.#offsets.has(offset);
  }

  /** It went with its segment. */
  forget(offset: number): void {
    this.#offsets.delete(offset);
  }

  /** What a snapshot of the table as it is now would hold; null: it needs none. */
  take(table: ProducerTable): Bytes | null {
    return table.size === 0 ? null : encodeProducerSnapshot(table.entries(), table.size, this.#context.core);
  }

  /** Durable when it resolves. Says what was known of the records below `offset`. */
  async write(offset: number, snapshot: Bytes): Promise<void> {
    await replaceFile(this.#context.storage, this.#spec.directory, segmentFileName(offset, "snapshot"), snapshot);
    this.#offsets.add(offset);
  }

  /** The newest at or below `offset` that can be believed, with its offset; null: there is none. Others on the way are told of. */
  async newest(offset: number): Promise<{ readonly offset: number; readonly entries: readonly ProducerEntry[] } | null> {
    const { storage, core, emit } = this.#context;
    const candidates = [...this.#offsets].filter((each) => each <= offset).sort((left, right) => right - left);
    for (const candidate of candidates) {
      const name = inDirectory(this.#spec.directory, segmentFileName(candidate, "snapshot"));
      try {
        const bytes = await readWholeFile(storage, name, SNAPSHOT_BYTE_LENGTH_MAX);
        if (bytes !== null) return { offset: candidate, entries: decodeProducerSnapshot(bytes, name, core) };
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        const { topic, partition } = this.#spec;
        emit("snapshot.ignored", { partition: { topic, partition }, file: name, problem: error.message });
        // As Kafka: it says nothing that the log does not say, and an older one or the log is read instead.
        if (!this.#isReadOnly) await this.#remove([candidate]);
      }
    }
    return null;
  }

  /** Removes all others. Not durable. */
  async keep(isKept: (offset: number) => boolean): Promise<void> {
    if (this.#isReadOnly) return;
    const { storage } = this.#context;
    for (const name of this.#unfinished) await removeIfPresent(storage, inDirectory(this.#spec.directory, name));
    this.#unfinished = [];
    await this.#remove([...this.#offsets].filter((offset) => !isKept(offset)));
  }

  get #isReadOnly(): boolean {
    return this.#context.readOnly || this.#spec.frozen;
  }

  async #remove(offsets: readonly number[]): Promise<void> {
    for (const offset of offsets) {
      this.#offsets.delete(offset);
      await removeIfPresent(this.#context.storage, inDirectory(this.#spec.directory, segmentFileName(offset, "snapshot")));
    }
  }
}
