/** Brings a table of producers up to an offset: from the newest snapshot before it, and the batches behind that. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { batchByteLengthAt, HEADER_BYTE_LENGTH, viewOf } from "../batch/batch-header.ts";
import { type ScannedBatch, scanBatches } from "../batch/batch-scan.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import type { Segment } from "../segment/segment.ts";
import type { ProducerSnapshots } from "./producer-snapshots.ts";
import { PRODUCER_ID_EXPIRATION_MS } from "./producer-states.ts";
import { hasProducer, ProducerTable } from "./producer-table.ts";
import type { AbortedTransaction } from "./transaction-index.ts";

export interface ReplaySource {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  readonly snapshots: ProducerSnapshots;
}

/** A table on its way: batches from `nextOffset` on are not in it yet. */
export class ProducerReplay {
  readonly table: ProducerTable;
  #nextOffset: number;

  constructor(table: ProducerTable, nextOffset: number) {
    this.table = table;
    this.#nextOffset = nextOffset;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Takes the batch in, unless it is in already. Answers the transaction it aborts. */
  take({ bytes, at, baseOffset, lastOffset, maxTimestamp }: ScannedBatch): AbortedTransaction | null {
    if (baseOffset < this.#nextOffset) return null;
    this.#nextOffset = lastOffset + 1;
    return hasProducer(bytes, at) ? this.table.admit(bytes, at, baseOffset, lastOffset, maxTimestamp) : null;
  }
}

/** `emptyAt`: an offset at which no producer was known; null: there is none that is known of. */
export async function beginReplay(source: ReplaySource, limit: number, emptyAt: number | null): Promise<ProducerReplay> {
  const { context, spec, snapshots } = source;
  const table = new ProducerTable(spec.directory);
  if (emptyAt !== null && emptyAt <= limit) return new ProducerReplay(table, emptyAt);
  const found = await snapshots.newest(limit);
  if (found === null) return new ProducerReplay(table, 0);
  const nowMs = context.clock.now();
  const isKept = ({ transactionFirstOffset, lastTimestamp }: { transactionFirstOffset: number; lastTimestamp: number }): boolean =>
    transactionFirstOffset >= 0 || nowMs - lastTimestamp < PRODUCER_ID_EXPIRATION_MS;
  const kept = found.entries.filter(isKept).sort((left, right) => left.transactionFirstOffset - right.transactionFirstOffset);
  for (const entry of kept) table.restore(entry);
  return new ProducerReplay(table, found.offset);
}

/** Takes in what the segments hold below `end`. What is damaged there is stepped over: the reader tells of it. */
export async function replayThrough(context: LogContext, replay: ProducerReplay, segments: readonly Segment[], end: number): Promise<void> {
  for (const segment of segments) {
    if (segment.nextOffset <= replay.nextOffset || segment.baseOffset >= end) continue;
    await replaySegment(context, replay, segment, () => {});
  }
}

export async function replaySegment(
  context: LogContext,
  replay: ProducerReplay,
  segment: Segment,
  onAborted: (transaction: AbortedTransaction) => void,
): Promise<void> {
  const { log } = await segment.acquire();
  try {
    await replayBytes(context, replay, log, segment.baseOffset, segment.byteLength, onAborted);
  } finally {
    segment.release();
    await segment.closeIdle();
  }
}

/** The batches in the first `byteLength` bytes of a segment's file. */
export async function replayBytes(
  { core }: LogContext,
  replay: ProducerReplay,
  log: StorageFile,
  baseOffset: number,
  byteLength: number,
  onAborted: (transaction: AbortedTransaction) => void,
): Promise<void> {
  let nextOffset = baseOffset;
  for (let position = 0; position < byteLength; ) {
    const expectation = { nextOffset, order: "rising", epochFor: () => null } as const;
    const end = await scanBatches(core, log, [position, byteLength], expectation, (batch) => {
      const aborted = replay.take(batch);
      if (aborted !== null) onAborted(aborted);
    });
    if (end.position >= byteLength) return;
    const header = new Uint8Array(HEADER_BYTE_LENGTH);
    log.readAt(header, end.position);
    const damagedByteLength = batchByteLengthAt(viewOf(header), 0);
    if (!(end.position + damagedByteLength < byteLength)) return;
    position = end.position + damagedByteLength;
    nextOffset = end.nextOffset;
  }
}
