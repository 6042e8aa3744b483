/** The end of an opening that failed, and of segments that turned out to be no part of the log: their handles are given back. */
import type { Segment } from "../segment/segment.ts";
import type { PartitionState } from "../state/partition-state.ts";

/** Whatever state they are in. */
export async function giveBack(segments: readonly Segment[], state?: PartitionState): Promise<void> {
  for (const segment of segments) {
    while (segment.isHeld) segment.release();
    await segment.closeIdle().catch(() => {});
  }
  await state?.close().catch(() => {});
}
