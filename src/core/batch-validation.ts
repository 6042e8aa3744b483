/** Feeds a batch to the core's validator: in place when it lies in the core's memory, else through the staging window. */
import type { BatchVerdict } from "./core.ts";
import type { CoreMemory } from "./core-host.ts";

/** In the order of their numbers in assembly/record/batch-validator.ts. */
const PROBLEMS: readonly BatchVerdict["problem"][] = [
  null,
  "length",
  "magic",
  "checksum",
  "attributes",
  "count",
  "records",
  "offsets",
  "timestamp",
];

export function validateBatch(memory: CoreMemory, batch: Uint8Array): BatchVerdict {
  const { exports, stagingAt } = memory;
  const place = memory.placeOf(batch);
  let start: number;
  if (place >= 0) {
    start = exports.validateHeader(place, batch.length, batch.length);
    if (start > 0) exports.validateRecords(place + start, start, batch.length - start);
    return verdict(memory);
  }

  const givenByteLength = Math.min(batch.length, memory.stagingByteLength);
  memory.bytes.set(givenByteLength === batch.length ? batch : batch.subarray(0, givenByteLength), stagingAt);
  start = exports.validateHeader(stagingAt, givenByteLength, batch.length);
  if (start === 0) return verdict(memory);
  start = exports.validateRecords(stagingAt + start, start, givenByteLength - start);
  while (start < batch.length) {
    const end = Math.min(batch.length, start + memory.stagingByteLength);
    memory.bytes.set(batch.subarray(start, end), stagingAt);
    start = exports.validateRecords(stagingAt, start, end - start);
  }
  return verdict(memory);
}

function verdict(memory: CoreMemory): BatchVerdict {
  return {
    problem: PROBLEMS[memory.answer(0)] as BatchVerdict["problem"],
    position: memory.answer(1),
    recordCount: memory.answer(2),
    maxTimestamp: memory.answerNumber(3),
    hasNullKey: memory.answer(4) !== 0,
  };
}
