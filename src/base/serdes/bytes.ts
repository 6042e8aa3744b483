/** The serde of bytes as they are. */
import type { Bytes } from "../../api/bytes.ts";
import type { Serde } from "../../api/serde.ts";
import { describeValue } from "../options.ts";
import { readsInPlace } from "./in-place.ts";
import { LEND, lends } from "./lending.ts";

/** Bytes as they are. What is read is a view of its batch's memory, which is never used again for anything else. */
export const bytes: Serde<Uint8Array, Bytes> = readsInPlace(
  lends(
    Object.freeze({
      serialize: requireBytes,
      deserialize: (value: Bytes): Bytes => value,
      [LEND]: requireBytes,
    }),
  ),
  (batch, start, end) => batch.slice(start, end),
);

function requireBytes(value: Uint8Array): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`bytes takes a Uint8Array, found ${describeValue(value)}`);
  if (isDetached(value))
    throw new TypeError("bytes takes a Uint8Array, found one whose memory was handed over (postMessage, structuredClone)");
  return value;
}

/** What was transferred has length 0, and would pass for bytes that are none. */
export function isDetached(value: Uint8Array): boolean {
  // Not `byteLength`: V8 looks that one up and calls it, 10 ns for each value that is sent.
  if (value.length > 0) return false;
  try {
    new Uint8Array(value.buffer);
    return false;
  } catch {
    return true;
  }
}
