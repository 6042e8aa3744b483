/** What recovery does for producers and aborted transactions while it walks a log: takes batches in, and leaves snapshots and indexes as Kafka does. */
import type { Bytes } from "../../api/bytes.ts";
import type { StorageFile } from "../../api/storage-driver.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { ScannedBatch } from "../batch/batch-scan.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory } from "../files/replace-file.ts";
import type { Segment } from "../segment/segment.ts";
import type { PartitionStateFacts } from "../state/partition-state.ts";
import type { DurableTransactionIndex } from "../state/state-slot.ts";
import { beginReplay, type ProducerReplay, type ReplaySource, replayBytes, replayThrough } from "./producer-replay.ts";
import type { ProducerTable } from "./producer-table.ts";
import { TransactionEntries } from "./transaction-entries.ts";
import { readTransactionIndexBytes } from "./transaction-index.ts";
import { writeTransactionEntries } from "./transaction-index-file.ts";

export interface RecoveredProducers {
  readonly producers: ProducerTable;
  /** Of the segments that were walked. */
  readonly transactionEntries: ReadonlyMap<number, TransactionEntries>;
  readonly withoutProducers: boolean;
}

export interface RecoveryStart {
  /** The walk begins at the one numbered `start`, which holds the recovery point. */
  readonly segments: readonly Segment[];
  readonly start: number;
  readonly recoveryPoint: number;
  readonly readOnly: boolean;
  /** The files of the directory. */
  readonly names: ReadonlySet<string>;
}

export class ProducerRecovery {
  readonly #source: ReplaySource;
  readonly #at: RecoveryStart;
  readonly #kept: TransactionEntries;
  readonly #replay: ProducerReplay;
  readonly #entries: Map<number, TransactionEntries> = new Map();
  readonly #written: Set<number> = new Set();
  #current: TransactionEntries;

  private constructor(source: ReplaySource, at: RecoveryStart, kept: TransactionEntries, replay: ProducerReplay) {
    this.#source = source;
    this.#at = at;
    this.#kept = kept;
    this.#current = kept;
    this.#replay = replay;
  }

  /** Before the walk begins. */
  static async begin(source: ReplaySource, at: RecoveryStart, facts: PartitionStateFacts | null): Promise<ProducerRecovery> {
    const { segments, start, recoveryPoint } = at;
    const first = segments[start] as Segment;
    const none = entriesToRemake(first, at.names);
    const durable =
      facts === null ? null : facts.txnIndex === null ? noneAt(at, none) : await durableEntries(source, first, facts.txnIndex);
    const limit = durable === null ? Math.min(recoveryPoint, first.baseOffset) : recoveryPoint;
    const replay = await beginReplay(source, limit, facts?.withoutProducers === true ? facts.recoveryPoint : null);
    const kept = durable ?? none;
    kept.truncateTo(replay.nextOffset);
    await replayThrough(source.context, replay, segments.slice(0, start), first.baseOffset);
    return new ProducerRecovery(source, at, kept, replay);
  }

  /** The walk goes on in this segment, at the batch of `nextOffset` that stands at `from`. */
  async enter(segment: Segment, log: StorageFile, from: number, nextOffset: number): Promise<void> {
    const isFirst = segment === this.#at.segments[this.#at.start];
    // As Kafka: the next recovery need not begin further back.
    if (!isFirst) await this.#snapshot(segment.baseOffset);
    this.#current = isFirst ? this.#kept : entriesToRemake(segment, this.#at.names);
    this.#entries.set(segment.baseOffset, this.#current);
    if (this.#replay.nextOffset >= nextOffset) return;
    await replayBytes(this.#source.context, this.#replay, log, segment.baseOffset, from, (each) => this.#current.add(each));
  }

  /** A batch that was accepted. */
  take(batch: ScannedBatch): void {
    const aborted = this.#replay.take(batch);
    if (aborted !== null) this.#current.add(aborted);
  }

  /** The indexes of what is left of the walked segments: to be durable before they are sealed. The directory is flushed by the caller. */
  async writeIndexes(segments: readonly Segment[]): Promise<void> {
    const { context, spec } = this.#source;
    for (const { baseOffset } of segments) {
      const entries = this.#entries.get(baseOffset);
      if (entries !== undefined && entries.byteLength !== entries.durableByteLength)
        await writeTransactionEntries(context.storage, spec.directory, baseOffset, entries);
    }
  }

  /** The log ends at `endOffset`, durably; nothing was written behind it since. What a crash leaves undone here is done again. */
  async finish(segments: readonly Segment[], endOffset: number): Promise<RecoveredProducers> {
    const { snapshots, context, spec } = this.#source;
    if (!this.#at.readOnly) {
      const bases = new Set(segments.map(({ baseOffset }) => baseOffset));
      await snapshots.keep((offset) => bases.has(offset) && (offset <= this.#at.recoveryPoint || this.#written.has(offset)));
      await context.storage.syncDirectory(spec.directory);
      await this.#snapshot(endOffset);
    }
    return this.outcome();
  }

  outcome(): RecoveredProducers {
    const producers = this.#replay.table;
    return { producers, transactionEntries: this.#entries, withoutProducers: producers.size === 0 };
  }

  async #snapshot(offset: number): Promise<void> {
    const bytes = this.#at.readOnly ? null : this.#source.snapshots.take(this.#replay.table);
    if (bytes === null) return;
    await this.#source.snapshots.write(offset, bytes);
    this.#written.add(offset);
  }
}

/** Nothing of it is known; a file that is there may hold anything. */
function entriesToRemake({ baseOffset }: Segment, names: ReadonlySet<string>): TransactionEntries {
  const entries = new TransactionEntries();
  if (names.has(segmentFileName(baseOffset, "txnindex"))) entries.durableByteLength = -1;
  return entries;
}

/** The state knows of no index in the segment that holds the recovery point. Of one before that, walked for want of its seal, it says nothing: null. */
function noneAt({ segments, start, recoveryPoint }: RecoveryStart, none: TransactionEntries): TransactionEntries | null {
  const next = segments[start + 1];
  return next === undefined || next.baseOffset > recoveryPoint ? none : null;
}

/** What the state says is durable of the segment's index; null: the file is not that, and the whole segment must be walked for it. */
async function durableEntries(
  source: ReplaySource,
  segment: Segment,
  durable: DurableTransactionIndex,
): Promise<TransactionEntries | null> {
  if (durable.baseOffset !== segment.baseOffset) return null;
  const { context, spec } = source;
  // Behind what was flushed a loss of power may leave anything, zeros among it: only what the state knows is looked at.
  const bytes = await wholeFile(source, segment);
  if (bytes !== null && bytes.byteLength >= durable.byteLength) {
    const believed = bytes.slice(0, durable.byteLength);
    // The file may go on behind what is believed of it.
    const durableByteLength = bytes.byteLength === believed.byteLength ? believed.byteLength : -1;
    if (context.core.crc32c(believed) >>> 0 === durable.checksum >>> 0) return new TransactionEntries(believed, durableByteLength);
  }
  const why = bytes === null ? "it is not there, or cannot be read" : "it is not what was flushed";
  const file = inDirectory(spec.directory, segmentFileName(segment.baseOffset, "txnindex"));
  context.emit("txnindex.rebuilt", { partition: { topic: spec.topic, partition: spec.partition }, file, why });
  return null;
}

/** null: there is none, or none that could be one. */
async function wholeFile({ context }: ReplaySource, { directory, baseOffset, isInSwap }: Segment): Promise<Bytes | null> {
  try {
    return await readTransactionIndexBytes(context, directory, baseOffset, isInSwap ? "swap" : "");
  } catch (error) {
    if (error instanceof CorruptionError) return null;
    throw error;
  }
}
