/** What stands in a `.log`: its batches and their records, also behind damage. */
import { hasBytesBeyond, type ScannedBatch, scanBatches } from "../log/batch/batch-scan.ts";
import { readBytes } from "../log/files/file-bytes.ts";
import { findNextBatch } from "../log/survey/found-batch.ts";
import { dumpBatch } from "./dump-batch.ts";
import type { Dumped, DumpSource } from "./dump-source.ts";

/** So many batches are told, and the output waited for, before the next are looked at. */
const BATCHES_AT_ONCE = 64;

export async function* dumpLog(source: DumpSource, withRecords: boolean): AsyncGenerator<Dumped> {
  const { core, file, baseOffset } = source;
  let fileEnd = file.byteLength();
  let position = 0;
  let nextOffset = baseOffset;
  let lookedAgainAt = -1;
  while (position < fileEnd) {
    const batches: ScannedBatch[] = [];
    const end = await scanBatches(core, file, [position, fileEnd], { nextOffset, order: "rising", epochFor: () => null }, (batch) => {
      batches.push({ ...batch });
      return batches.length === BATCHES_AT_ONCE ? "stop" : undefined;
    });
    for (const batch of batches) yield* dumpBatch(readBytes(file, batch.position, batch.byteLength), batch.position, source, withRecords);
    ({ position, nextOffset } = end);
    if (batches.length === BATCHES_AT_ONCE || position >= fileEnd) continue;
    if (!(await hasBytesBeyond(file, position))) {
      yield { type: "unwritten", position, byteLength: fileEnd - position };
      return;
    }
    // A process that writes may have filled the space between the two looks.
    if (end.reason === "zero" && lookedAgainAt !== position) {
      lookedAgainAt = position;
      fileEnd = file.byteLength();
      continue;
    }
    const next = await findNextBatch(core, file, position, { fileEnd, offsetMin: nextOffset, offsetEnd: Number.MAX_SAFE_INTEGER });
    yield {
      type: "damage",
      position,
      byteLength: (next?.position ?? fileEnd) - position,
      reason: end.reason,
      detail: end.detail,
      firstOffset: nextOffset,
    };
    if (next === null) return;
    position = next.position;
    nextOffset = next.baseOffset;
  }
}
