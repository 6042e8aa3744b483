/** The serde of bytes as they are. */
import type { Bytes } from "../../api/bytes.ts";
import type { Serde } from "../../api/serde.ts";
import { describeValue } from "../options.ts";
import { LEND } from "./lending.ts";

/** Bytes as they are. What is read is a view of its batch's memory, which is never used again for anything else. */
export const bytes: Serde<Uint8Array, Bytes> = Object.freeze({
  serialize: requireBytes,
  deserialize: (value: Bytes): Bytes => value,
  [LEND]: requireBytes,
});

function requireBytes(value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`bytes takes a Uint8Array, found ${describeValue(value)}`);
  return value;
}
