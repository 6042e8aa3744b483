/** Has the core find one record of a batch, and tells where its fields lie. */
import type { FoundRecord, RecordTarget } from "./core.ts";
import type { CoreMemory } from "./core-host.ts";
import { refusal } from "./refusal.ts";

/** `batchAt`: where the batch stands in the core's memory. */
export function findRecord(memory: CoreMemory, batch: Uint8Array, batchAt: number, target: RecordTarget): FoundRecord | null {
  const { offset = Number.NEGATIVE_INFINITY, timestamp = Number.NEGATIVE_INFINITY } = target;
  const answer = memory.exports.findRecord(batchAt, batch.length, offset, timestamp);
  if (answer < 0) throw refusal(answer, batch, "searched");
  if (answer === 0) return null;
  return {
    offset: memory.answerNumber(0),
    timestamp: memory.answerNumber(1),
    start: memory.answer(2),
    end: memory.answer(3),
    keyStart: memory.answer(4),
    keyLength: memory.answer(5),
    valueStart: memory.answer(6),
    valueLength: memory.answer(7),
    headersStart: memory.answer(8),
    headersCount: memory.answer(9),
  };
}
