/** The leader epoch in which a log was written last, as its batches have it: for a log whose book of epochs is gone. */

import type { Core } from "../../core/core.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import type { Segment } from "../segment/segment.ts";

/** -1: no batch tells. Epochs never fall within a log, so that the last batch has the highest; it is looked for from the last index entry on. */
export async function lastEpochIn(core: Core, segments: readonly Segment[]): Promise<number> {
  for (const segment of [...segments].reverse()) {
    const epoch = segment.byteLength === 0 ? -1 : await lastEpochOf(core, segment);
    if (epoch >= 0) return epoch;
  }
  return -1;
}

async function lastEpochOf(core: Core, segment: Segment): Promise<number> {
  const { log, offsetIndex } = await segment.acquire();
  try {
    const indexed = offsetIndex?.lastEntry()?.position ?? 0;
    let epoch = -1;
    // An index that is wrong leads to no batch: then they are walked from the first on.
    for (const from of indexed === 0 ? [0] : [indexed, 0]) {
      const expectation = { nextOffset: segment.baseOffset, order: "rising", epochFor: () => null } as const;
      await scanBatches(core, log, [from, segment.byteLength], expectation, (batch) => {
        epoch = Math.max(epoch, batch.leaderEpoch);
      });
      if (epoch >= 0) break;
    }
    return epoch;
  } finally {
    segment.release();
    await segment.closeIdle();
  }
}
