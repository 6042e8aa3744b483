/**
 * How keys and values become bytes and back. Serdes are synchronous and never see null:
 * null on the wire is null in the program (a key that is absent, a value that is a tombstone).
 */
import type { Bytes, Header } from "./bytes.ts";

/** Which record the bytes are of. */
export interface SerdeContext {
  readonly topic: string;
  readonly headers: readonly Header[];
}

/** Makes bytes of a key or a value. */
export interface Serializer<in T> {
  /** Throws whatever it likes: the sender sees a `SerdeError` with that as its cause, and nothing is appended. */
  readonly serialize: (value: T, context: SerdeContext) => Uint8Array;
}

/** Makes a key or a value of bytes. */
export interface Deserializer<out T> {
  /** May keep `bytes`: they belong to the record's batch and are never recycled. */
  readonly deserialize: (bytes: Bytes, context: SerdeContext) => T;
}

/** Both ways. */
export interface Serde<in In, out Out = In> extends Serializer<In>, Deserializer<Out> {}

/** standardschema.dev, version 1. A validator that answers with a promise is a `UsageError`. */
export interface StandardSchema<In = unknown, Out = In> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    /** Answers `{ value }` or `{ issues }`, at once. */
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}
