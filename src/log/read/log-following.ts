/** What a log that is only read looks for while another process writes it: that it has got on, how far, and what of that may be shown. */
import { noteProducer } from "../append/appended.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { byteLengthOf } from "../opening/steady-opening.ts";

/**
 * Where readers stop: the durable end as the writer noted it, which is late at worst (C4). null: nothing lies behind it. Of two notes one of
 * which is damaged the other may be much too late: then it holds nothing back.
 */
export function knownDurable(log: OpenedLog): LogPosition | null {
  const facts = log.state.problem === null ? log.state.facts() : null;
  if (facts === null || facts.writtenAs !== "sync" || facts.cleanlyClosed) return null;
  const { durableSegmentBase, durableEndPosition: position, durableEndOffset: offset } = facts;
  const segment = log.segments.all().find(({ baseOffset }) => baseOffset === durableSegmentBase);
  return segment === undefined || offset >= log.segments.active.nextOffset ? null : { segment, position, offset };
}

/**
 * "end": the writer has got on. "files": it has put others in the place of some. Costs one small read, and with `looksAtFiles` a look at each
 * segment. `seen`: lengths of files by base offset, as of the last look.
 */
export async function changeSince(log: OpenedLog, seen: Map<number, number>, looksAtFiles: boolean): Promise<"end" | "files" | null> {
  const { segments, state, context } = log;
  const isNoted = state.reread();
  // Behind the last flush an "os" topic may have grown, and no note tells of it.
  const isOs = state.facts()?.writtenAs !== "sync";
  for (const segment of looksAtFiles ? segments.all() : isOs ? [segments.active] : []) {
    const byteLength = await byteLengthOf(context.storage, segment.logName);
    const before = seen.get(segment.baseOffset) ?? segment.byteLength;
    seen.set(segment.baseOffset, byteLength);
    if (byteLength !== before && segment !== segments.active) return "files";
    if (byteLength !== before && isOs) return "end";
  }
  return isNoted ? "end" : null;
}

/** Whether all that has happened is that the active segment has grown: then that is taken in, and shown up to its durable end. */
export async function followTail(log: OpenedLog, show: (end: LogPosition) => void): Promise<boolean> {
  const { active } = log.segments;
  // There was none to open yet: there may be one now.
  if (active.isAbsent) return false;
  const facts = log.state.facts();
  const isSame = facts !== null && facts.durableSegmentBase === active.baseOffset && facts.logStartOffset === log.logStartOffset;
  const fileByteLength = active.openFiles.log.byteLength();
  if (!isSame || log.endProblem !== null || fileByteLength < active.byteLength) return false;
  const isSync = facts.writtenAs === "sync";
  const end = isSync ? Math.min(facts.durableEndPosition, fileByteLength) : fileByteLength;
  if (end > active.byteLength && !(await takeIn(log, end))) return false;
  const reached = knownDurable(log) ?? { segment: active, position: active.byteLength, offset: active.nextOffset };
  if (isSync && reached.offset < facts.durableEndOffset) return false;
  show(reached);
  return true;
}

/** Whole batches up to byte `end`, or as far as they go. False, with some of them taken in, when what stands there is no mere continuation. */
async function takeIn(log: OpenedLog, end: number): Promise<boolean> {
  const { active } = log.segments;
  const { log: file } = active.openFiles;
  // A writer that began anew has begun another epoch, and may have cut what was seen before.
  const epoch = log.epochs.latest()?.epoch ?? 0;
  const begin = active.byteLength;
  const order = active.contiguous ? "exact" : "rising";
  const expectation = { nextOffset: active.nextOffset, order, epochFor: () => epoch } as const;
  const into = { log: file, offsetIndex: null, timeIndex: null };
  const { indexIntervalBytes } = log.spec.config();
  const { position, reason } = await scanBatches(log.context.core, file, [begin, end], expectation, (batch) => {
    const { baseOffset, lastOffset, maxTimestamp, byteLength, at } = batch;
    active.admit(into, byteLength, lastOffset, maxTimestamp, indexIntervalBytes);
    noteProducer(log, batch.bytes.subarray(at, at + byteLength), baseOffset, lastOffset, maxTimestamp);
  });
  active.verified.add(begin, position);
  return reason === "end" || reason === "partial";
}
