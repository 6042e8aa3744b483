/** Seals what was left unsealed, after looking at all of it: segments of another writer, rewritten ones, those a full disk left behind. */

import type { OpenedLog } from "../opening/opened-log.ts";
import { readSeal, trySeal } from "../seal/sealing.ts";
import { rebuildIndexes } from "../segment/index-rebuild.ts";
import type { Segment } from "../segment/segment.ts";

export interface SealingResult {
  readonly segmentsSealed: number;
  /** Looked at, and not sealed: they are damaged, or it is not certain that they are whole. Told by `seal.refused`. */
  readonly segmentsRefused: number;
  readonly byteLength: number;
  /** Nothing is left to look at. */
  readonly isComplete: boolean;
}

export async function sealUnsealed(log: OpenedLog, byteLengthMax: number): Promise<SealingResult> {
  let segmentsSealed = 0;
  let segmentsRefused = 0;
  let byteLength = 0;
  for (const segment of log.segments.all().slice(0, -1)) {
    if (segment.sealIsSettled) continue;
    if (byteLength >= byteLengthMax) return { segmentsSealed, segmentsRefused, byteLength, isComplete: false };
    const unsealed = await whyUnsealed(log, segment);
    if (unsealed !== null) {
      byteLength += segment.byteLength;
      if (await seal(log, segment, unsealed)) segmentsSealed += 1;
      else segmentsRefused += 1;
    }
    segment.sealIsSettled = true;
  }
  return { segmentsSealed, segmentsRefused, byteLength, isComplete: true };
}

interface Unsealed {
  readonly reason: string;
  /** Up to where the segment went, by a seal that can be read and is of a file of another length. */
  readonly nextOffset: number | null;
}

/** null: it has its seal. Whether its bytes still agree is for the reader to say: a wrong sum in an unchanged file is damage. */
async function whyUnsealed({ context, spec }: OpenedLog, segment: Segment): Promise<Unsealed | null> {
  if (segment.checksums !== null && segment.checksums !== "unread") return null;
  const found = await readSeal(context, segment);
  if (found === "absent") return { reason: "it had none", nextOffset: null };
  if ("problem" in found) return { reason: found.problem, nextOffset: null };
  const isOurs = found.baseOffset === segment.baseOffset && found.partition === spec.partition && found.topicId === spec.topicId;
  const whose = `it was of partition ${found.partition}, base offset ${found.baseOffset}, topic id ${found.topicId}`;
  if (!isOurs) return { reason: whose, nextOffset: null };
  if (found.logByteLength === segment.byteLength) return null;
  return { reason: `it was of ${found.logByteLength} bytes, the segment has ${segment.byteLength}`, nextOffset: found.nextOffset };
}

async function seal(log: OpenedLog, segment: Segment, unsealed: Unsealed): Promise<boolean> {
  const { context, spec, epochs } = log;
  const partition = { topic: spec.topic, partition: spec.partition };
  // Nobody promised that no offset is missing in what another wrote.
  segment.contiguous = false;
  const epochFor = (offset: number): number | null => epochs.epochFor(offset);
  const files = await segment.acquire();
  try {
    const problem = files.offsetIndex?.problem ?? files.timeIndex?.problem ?? null;
    if (problem !== null) await rebuildIndexes(context, spec, segment, files, problem);
    const { baseOffset: nextBaseOffset } = log.segments.after(segment) as Segment;
    const bad = await trySeal(context, spec, segment, { epochFor, nextBaseOffset }, unsealed.nextOffset);
    if (bad !== null) {
      const what = `batch at ${segment.logName}:${bad.position}: ${bad.reason}${bad.detail === "" ? "" : `: ${bad.detail}`}`;
      context.emit("seal.refused", { partition, file: segment.logName, problem: what });
      return false;
    }
  } finally {
    segment.release();
    await log.segments.touched(segment);
  }
  context.emit("seal.made", { partition, file: segment.logName, nextOffset: segment.nextOffset, why: unsealed.reason });
  return true;
}
