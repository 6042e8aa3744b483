/** Reads what groups have committed out of `__consumer_offsets`, and holds it against the logs. */

import { OdradekError } from "../base/errors.ts";
import { isControl, readBatchHeader } from "../base/record-batch.ts";
import { RecordCursor } from "../base/record-decoder.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import { OFFSETS_TOPIC } from "../group/group-partition.ts";
import { decodeOffsetValue } from "../group/schemas/offset-commit-value.ts";
import { decodeKey } from "../group/schemas/record-key.ts";
import type { LogContext } from "../log/context/log-context.ts";
import { type Defect, REMEDY_REPAIR } from "../log/files/defect.ts";
import { partitionDirectoryName } from "../log/files/file-names.ts";
import type { PartitionSurvey } from "../log/survey/partition-survey.ts";
import { eachBatch } from "./batch-walk.ts";

interface Committed {
  readonly groupId: string;
  readonly directory: string;
  readonly nextOffset: number;
  readonly file: string;
}

export async function checkCommittedOffsets(
  context: LogContext,
  partitions: readonly PartitionSurvey[],
  cleanShutdown: boolean,
  defects: Defect[],
  notes: string[],
): Promise<void> {
  const committed = new Map<string, Committed | null>();
  for (const survey of partitions) {
    if (survey.at.topic !== OFFSETS_TOPIC) continue;
    for (const { file } of survey.segments) {
      try {
        await eachBatch(context, file, (bytes) => takeBatch(context.compression.decompressBatch(bytes), file, committed));
      } catch (error) {
        if (!(error instanceof OdradekError || error instanceof CorruptBatchError)) throw error;
        notes.push(`${file}: what was committed cannot be read: ${error.message}`);
      }
    }
  }
  for (const offset of committed.values()) {
    const log = offset === null ? undefined : partitions.find((each) => each.at.directory === offset.directory);
    if (offset === null || log === undefined || offset.nextOffset <= log.logEndOffset) continue;
    const problem = `${offset.file}: group "${offset.groupId}" committed offset ${offset.nextOffset} of ${offset.directory}, whose log ends at ${log.logEndOffset}`;
    const offsetRange = [log.logEndOffset, offset.nextOffset] as const;
    if (cleanShutdown && log.defects.length === 0)
      defects.push({ kind: "offsets", file: offset.file, byteRange: null, offsetRange, problem, remedy: REMEDY_REPAIR });
    else notes.push(`${problem}; the next open sets it back`);
  }
}

/** Later records win; a tombstone forgets. A record that is no commit, or cannot be read, says nothing. */
function takeBatch(bytes: Uint8Array, file: string, committed: Map<string, Committed | null>): void {
  if (isControl(readBatchHeader(bytes).attributes)) return;
  const cursor = new RecordCursor(bytes);
  while (cursor.next()) {
    const keyBytes = cursor.key();
    if (keyBytes === null) continue;
    try {
      const key = decodeKey(keyBytes);
      if (key.kind !== "offset") continue;
      const value = cursor.value();
      const directory = partitionDirectoryName(key.topic, key.partition);
      const nextOffset = value === null ? null : decodeOffsetValue(value).nextOffset;
      committed.set(`${key.groupId}\0${directory}`, nextOffset === null ? null : { groupId: key.groupId, directory, nextOffset, file });
    } catch {
      // Another version's record: loading passes over it, and so does this.
    }
  }
}
