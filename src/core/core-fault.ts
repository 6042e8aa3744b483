/** What each number that a trapped core leaves behind means: the sentences for assembly/panic/fault.ts. */

const FAULTS: readonly string[] = [
  "it trapped without saying why (out of stack, or an instruction that may not run)",
  "a library routine aborted",
  "an answer was put outside the mailbox",
  "it was given, or computed, a range of bytes outside its memory",
  "its memory is smaller than its map",
  "it was called before it was initialized",
  "a scan found more batches than its window can hold",
  "a validation was fed bytes out of order",
  "an entry was put into an offset map that is full",
  "a batch being rewritten outgrew its window",
  "a record's bytes do not add up to the length computed for it",
  "a batch was written out of turn",
];

export function faultSentence(fault: number): string {
  return FAULTS[fault] ?? `it left the unknown number ${fault}`;
}
