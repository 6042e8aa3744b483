/** The block checksums that a segment is left with: right ones for what was checked, and for damage ones that never match. */
import type { Core } from "../../core/core.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import { batchBehind } from "../batch/resync.ts";
import { SEAL_BLOCK_BYTE_LENGTH } from "../files/block-checksums.ts";
import { readBytes } from "../files/file-bytes.ts";
import { checksumsOfWhole } from "../files/file-checksums.ts";
import type { Segment, SegmentFiles } from "../segment/segment.ts";

/**
 * Of a segment that is closed or sealed. Whoever opens it next believes the blocks whose sums match, so no sum may be made of bytes that
 * nobody looked at. Blocks that the last close told of keep its sums, and are not read: what has changed in them since does not match.
 * The block that it left begun is held against the file, and what it did not tell of is walked, unless this process has checked or
 * written it. The batches of a block that does not match are then checked one by one.
 */
export async function checksumsToLeave(
  core: Core,
  segment: Segment,
  { log }: SegmentFiles,
  epochFor: (offset: number) => number | null,
): Promise<number[]> {
  const { byteLength, warmFrom, verified } = segment;
  const left = segment.knownChecksums;
  const knownByteLength = Math.min(left?.byteLength ?? 0, byteLength);
  const keptCount = Math.floor(knownByteLength / SEAL_BLOCK_BYTE_LENGTH);
  const found = await checksumsOfWhole(core, log, segment.logName, byteLength, keptCount * SEAL_BLOCK_BYTE_LENGTH);
  const sums = [...(left?.checksums.slice(0, keptCount) ?? []), ...found];
  const sumNow = (block: number): number =>
    found[block - keptCount] ?? core.crc32c(readBytes(log, block * SEAL_BLOCK_BYTE_LENGTH, SEAL_BLOCK_BYTE_LENGTH));
  const distrust = (from: number, until: number): void => {
    for (let block = Math.floor(from / SEAL_BLOCK_BYTE_LENGTH); block * SEAL_BLOCK_BYTE_LENGTH < until && block < sums.length; block += 1)
      sums[block] = ~sumNow(block) >>> 0;
  };
  if (left !== null && left.checksums.length > keptCount) {
    const at = keptCount * SEAL_BLOCK_BYTE_LENGTH;
    const end = Math.min(at + SEAL_BLOCK_BYTE_LENGTH, left.byteLength);
    const now = end === byteLength ? found[0] : core.crc32c(readBytes(log, at, end - at));
    if (now !== left.checksums[keptCount]) distrust(at, end);
  }
  if (verified.covers(knownByteLength, Math.min(warmFrom, byteLength))) return sums;
  const end = { position: byteLength, offset: segment.nextOffset };
  const rules = { order: segment.contiguous ? "exact" : "rising", epochFor } as const;
  let at = { position: 0, baseOffset: segment.baseOffset };
  for (;;) {
    const expectation = { ...rules, nextOffset: at.baseOffset };
    const stopped = await scanBatches(core, log, [at.position, byteLength], expectation, () => {});
    if (stopped.position >= byteLength) return sums;
    const behind = await batchBehind(core, log, stopped, end, rules);
    distrust(stopped.position, behind?.position ?? byteLength);
    if (behind === null) return sums;
    at = behind;
  }
}
