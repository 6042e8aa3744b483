/** The inner way past `serialize`: bytes that are lent instead of made, for a caller that copies them at once. */
import type { SerdeContext, Serializer } from "../../api/serde.ts";

/** Ours alone: a program's own serializer has no such method, and needs none. */
export const LEND: unique symbol = Symbol("odradek.lend");

/** Which of a record's two byte strings is being made; each has its own scratch, so that both can be held at once. */
export const KEY = 0;
export const VALUE = 1;
export type Role = typeof KEY | typeof VALUE;

export interface LendingSerializer<in T> extends Serializer<T> {
  /** What `serialize` gives, in memory that the next call with the same role, of any serializer, may overwrite. */
  readonly [LEND]: (value: T, context: SerdeContext, role: Role) => Uint8Array;
}

/** Those of ours, by the object itself: what a program makes of one with `{ ...utf8, serialize }` has its method, and is its own. */
const LENDERS: WeakSet<object> = new WeakSet();

/** Says that a serializer is one of ours. */
export function lends<Serializer extends object>(serializer: Serializer): Serializer {
  LENDERS.add(serializer);
  return serializer;
}

/** The quick way of a serializer of ours, the only way of another. */
export function lenderOf<T>(serializer: Serializer<T>): (value: T, context: SerdeContext, role: Role) => Uint8Array {
  return isLending(serializer) ? (serializer as LendingSerializer<T>)[LEND] : (value, context) => serializer.serialize(value, context);
}

/** Whether what `lenderOf` gives may be overwritten later; else it belongs to whoever made it. */
export function isLending(serializer: object): boolean {
  return LENDERS.has(serializer);
}
