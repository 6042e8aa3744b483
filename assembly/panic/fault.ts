/**
 * What happens when the core finds one of its own rules broken: it leaves a number where TypeScript finds it, then traps.
 * The instance is dropped afterwards; the sentences for these numbers are in src/core/core-fault.ts.
 */
import { MAILBOX_AT, MAILBOX_BYTE_LENGTH } from "../memory/arena";

export const enum Fault {
  /** An `abort` of AssemblyScript's own, which no code of ours calls. */
  ABORT = 1,
  MAILBOX = 2,
  /** A range of bytes that is not inside linear memory. */
  RANGE = 3,
  MEMORY_TOO_SMALL = 4,
  NOT_INITIALIZED = 5,
  SCAN_TABLE_FULL = 6,
  /** A validation that was fed bytes out of order, or past the end of its batch. */
  CHUNK_ORDER = 7,
  OFFSET_MAP_FULL = 8,
  OUTPUT_FULL = 9,
  RECORD_LENGTH = 10,
  /** A batch or record that was written out of turn: not begun, or its headers missing. */
  FRAME_ORDER = 11,
}

/** The last slot of the mailbox is kept for faults. */
const FAULT_AT: usize = MAILBOX_AT + MAILBOX_BYTE_LENGTH - 8;

function raise(fault: i32): void {
  store<i32>(FAULT_AT, fault);
  unreachable();
}

// @ts-ignore: decorator
@inline
export function must(condition: bool, fault: i32): void {
  if (!condition) raise(fault);
}

/** Every export that takes a place in memory begins with this: no call reads outside, whatever TypeScript says. */
export function mustBeInMemory(at: usize, byteLength: i32): void {
  must(byteLength >= 0 && <u64>at + <u64>byteLength <= <u64>memory.size() << 16, Fault.RANGE);
}

/** Stands where AssemblyScript would call the host's `abort`, so that the binary imports nothing. */
export function onAbort(message: string | null, fileName: string | null, line: u32, column: u32): void {
  raise(Fault.ABORT);
}
