/** Whether what a compaction wrote under a name of a swap is whole, and where it ends: only then it is put in place. */
import { CorruptionError } from "../../base/errors.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import type { LogContext } from "../context/log-context.ts";
import type { EndOfSwap } from "../files/partition-files.ts";
import { inDirectory } from "../files/replace-file.ts";

export function swapsOf(context: LogContext, directory: string): EndOfSwap {
  return (name, baseOffset) => endOfLog(context, directory, inDirectory(directory, name), baseOffset);
}

/** The offset after the last batch of a complete `.log.swap`. */
async function endOfLog(context: LogContext, directory: string, name: string, baseOffset: number): Promise<number> {
  const file = await context.storage.open(name, { create: "no", readOnly: true });
  try {
    const expectation = { nextOffset: baseOffset, order: "rising", epochFor: () => null } as const;
    const byteLength = file.byteLength();
    const end = await scanBatches(context.core, file, [0, byteLength], expectation, () => {});
    if (end.position === byteLength) return end.nextOffset;
    const message = `${name}:${end.position}: expected the whole of a rewritten segment that is to be put in place, found ${end.reason}${end.detail === "" ? "" : `: ${end.detail}`}; nothing in ${directory} is changed until it is repaired`;
    throw new CorruptionError(message, {
      file: name,
      byteRange: [end.position, byteLength],
      offsetRange: [end.nextOffset, end.nextOffset],
      nextReadableOffset: null,
    });
  } finally {
    await file.close();
  }
}
