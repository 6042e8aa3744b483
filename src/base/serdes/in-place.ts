/** The inner way past `deserialize`: a value read out of the middle of a batch, for which no view is made first. */
import type { Deserializer, SerdeContext } from "../../api/serde.ts";

/** What `deserialize` gives for the bytes from `start` up to `end`; it holds on to none of them. */
export type ReadInPlace<out T> = (bytes: Uint8Array, start: number, end: number, context: SerdeContext) => T;

/** By the object itself, and not by a property of it: what a program makes of ours with `{ ...utf8, deserialize }` is its own. */
const READERS: WeakMap<object, ReadInPlace<unknown>> = new WeakMap();

/** Says how the values of a serde of ours are read in place. */
export function readsInPlace<Serde extends object>(serde: Serde, read: ReadInPlace<unknown>): Serde {
  READERS.set(serde, read);
  return serde;
}

/** null: a program's own deserializer, which is given bytes that it may keep. */
export function inPlaceReaderOf<T>(deserializer: Deserializer<T>): ReadInPlace<T> | null {
  return (READERS.get(deserializer) as ReadInPlace<T> | undefined) ?? null;
}
