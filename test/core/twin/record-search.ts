/** The first record from an offset and a time on, by looking at each one. */
import type { RecordTarget } from "../../../src/core/core.ts";
import type { SlowBatch, SlowRecord } from "./batch.ts";

export interface SlowFound {
  readonly index: number;
  readonly record: SlowRecord;
  readonly offset: number;
  readonly timestamp: number;
}

export function slowFindRecord(batch: SlowBatch, { offset, timestamp }: RecordTarget): SlowFound | null {
  const all = batch.records.map((record, index) => ({
    index,
    record,
    offset: Number(batch.baseOffset) + record.offsetDelta,
    timestamp: Number(
      (batch.attributes & 0x08) !== 0 ? batch.maxTimestamp : BigInt.asIntN(64, batch.baseTimestamp + record.timestampDelta),
    ),
  }));
  return (
    all
      .filter((each) => offset === undefined || each.offset >= offset)
      .find((each) => timestamp === undefined || each.timestamp >= timestamp) ?? null
  );
}
