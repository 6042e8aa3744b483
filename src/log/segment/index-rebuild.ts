/** Makes a segment's two indexes again from its log, by the rule an append keeps: for files that are missing or wrong. */
import { isStorageFull } from "../../base/errors.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import { type Segment, type SegmentFiles, withIndexes } from "./segment.ts";

/**
 * Of a sealed segment that may be written. Not durable: what is lost of it is made again. Entries end where the log cannot be walked. On
 * a disk without room searches in the segment go without an index, until it is opened anew.
 */
export async function rebuildIndexes(
  context: LogContext,
  spec: PartitionSpec,
  segment: Segment,
  files: SegmentFiles,
  why: string,
): Promise<void> {
  try {
    await rebuild(context, spec, segment, files, why);
  } catch (error) {
    if (!isStorageFull(error)) throw error;
    segment.indexIsBelieved = false;
  }
}

async function rebuild(context: LogContext, spec: PartitionSpec, segment: Segment, files: SegmentFiles, why: string): Promise<void> {
  const { byteLength, nextOffset } = segment;
  const { offsetIndex, timeIndex } = withIndexes(files);
  offsetIndex.clear();
  timeIndex.clear();
  const { indexIntervalBytes } = spec.config();
  const expectation = { nextOffset: segment.baseOffset, order: "rising", epochFor: () => null } as const;
  let bytesSinceEntry = 0;
  let maxTimestamp = -1;
  let maxTimestampOffset = -1;
  await scanBatches(context.core, files.log, [0, byteLength], expectation, (batch) => {
    if (batch.maxTimestamp > maxTimestamp) [maxTimestamp, maxTimestampOffset] = [batch.maxTimestamp, batch.lastOffset];
    if (bytesSinceEntry > indexIntervalBytes) {
      offsetIndex.append(batch.lastOffset, batch.position);
      if (maxTimestampOffset >= 0) timeIndex.maybeAppend(maxTimestamp, maxTimestampOffset);
      bytesSinceEntry = 0;
    }
    bytesSinceEntry += batch.byteLength;
  });
  [segment.maxTimestamp, segment.maxTimestampOffset] = [maxTimestamp, maxTimestampOffset];
  segment.finishIndexes(files);
  const { topic, partition } = spec;
  context.emit("index.rebuilt", { partition: { topic, partition }, file: segment.logName, nextOffset, why });
}
