/** Checks batches that were read: their checksums, and that they are what must stand there. */
import type { Core } from "../../core/core.ts";
import { ATTRIBUTES_AT, batchByteLengthAt, CRC_AT, EPOCH_AT, lastOffsetAt, readInt64, viewOf } from "./batch-header.ts";

export interface BatchCheckRules {
  readonly core: Core;
  readonly epochFor: (offset: number) => number | null;
}

export interface BatchCheck {
  readonly goodByteLength: number;
  /** Of the first batch that is not good; "" when all are. */
  readonly reason: string;
  readonly detail: string;
}

/** `bytes`: whole batches by their lengths. `expectedOffset`: what the first must begin with; null: unknown. `endOffset`: none reaches it. */
export function checkBatches(
  rules: BatchCheckRules,
  bytes: Uint8Array,
  expectedOffset: number | null,
  contiguous: boolean,
  endOffset: number,
): BatchCheck {
  const view = viewOf(bytes);
  const { core } = rules;
  let position = 0;
  let nextOffset = expectedOffset;
  while (position < bytes.length) {
    const byteLength = batchByteLengthAt(view, position);
    const stored = view.getUint32(position + CRC_AT);
    const computed = core.crc32c(bytes.subarray(position + ATTRIBUTES_AT, position + byteLength)) >>> 0;
    if (stored !== computed) return bad(position, "checksum", `computed crc ${hex(computed)}, stored ${hex(stored)}`);
    const baseOffset = readInt64(view, position);
    const lastOffset = lastOffsetAt(view, position);
    if (nextOffset !== null && (contiguous ? baseOffset !== nextOffset : baseOffset < nextOffset)) {
      return bad(position, "order", `expected offset ${nextOffset}, found ${baseOffset}`);
    }
    if (lastOffset >= endOffset) return bad(position, "order", `expected offsets below ${endOffset}, found ${baseOffset} to ${lastOffset}`);
    if (lastOffset < baseOffset || baseOffset < 0 || !Number.isSafeInteger(lastOffset))
      return bad(position, "offset", `offsets ${baseOffset} to ${lastOffset}`);
    // Of its last offset: where records were deleted, epochs begin with the log start, perhaps in the middle of a batch.
    const epoch = rules.epochFor(lastOffset);
    const found = view.getInt32(position + EPOCH_AT);
    if (epoch !== null && epoch !== found) return bad(position, "epoch", `expected leader epoch ${epoch}, found ${found}`);
    position += byteLength;
    nextOffset = lastOffset + 1;
  }
  return { goodByteLength: bytes.length, reason: "", detail: "" };
}

function bad(goodByteLength: number, reason: string, detail: string): BatchCheck {
  return { goodByteLength, reason, detail };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
