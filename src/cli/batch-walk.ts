/** Hands out the readable batches of a segment's `.log`, one after another, each in memory of its own. */

import type { LogContext } from "../log/context/log-context.ts";
import { readBytes } from "../log/files/file-bytes.ts";
import { parseSegmentFileName, type SegmentFileName } from "../log/files/file-names.ts";
import { type SegmentSurvey, surveySegment } from "../log/survey/segment-survey.ts";

export async function eachBatch(
  context: Pick<LogContext, "storage" | "core">,
  name: string,
  take: (batch: Uint8Array, position: number) => void,
): Promise<SegmentSurvey> {
  const { baseOffset } = parseSegmentFileName(name.slice(name.lastIndexOf("/") + 1)) as SegmentFileName;
  const file = await context.storage.open(name, { create: "no", readOnly: true });
  try {
    const expected = { baseOffset, endOffset: null, durableOffset: null, order: "rising", epochFor: () => null } as const;
    return await surveySegment(context.core, file, expected, (batch) =>
      take(readBytes(file, batch.position, batch.byteLength), batch.position),
    );
  } finally {
    await file.close();
  }
}
