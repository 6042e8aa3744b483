/** Answers that do not fit into one i32: 8-byte slots at a fixed place, read by TypeScript right after the call. */
import { MAILBOX_AT, MAILBOX_BYTE_LENGTH } from "./arena";
import { Fault, must } from "../panic/fault";

// @ts-ignore: decorator
@inline
export function answer32(slot: i32, value: i32): void {
  must(<u32>slot < <u32>(MAILBOX_BYTE_LENGTH / 8), Fault.MAILBOX);
  store<i32>(MAILBOX_AT + (<usize>slot << 3), value);
}

// @ts-ignore: decorator
@inline
export function answerNumber(slot: i32, value: f64): void {
  must(<u32>slot < <u32>(MAILBOX_BYTE_LENGTH / 8), Fault.MAILBOX);
  store<f64>(MAILBOX_AT + (<usize>slot << 3), value);
}
