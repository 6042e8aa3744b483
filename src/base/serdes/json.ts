/** The serde of JSON text. */
import type { Serde, SerdeContext, StandardSchema } from "../../api/serde.ts";
import { describeValue } from "../options.ts";
import { readsInPlace } from "./in-place.ts";
import { LEND, type LendingSerializer, lends, type Role } from "./lending.ts";
import { validatorOf } from "./standard-schema.ts";
import { decodeText, encodeText, lendText } from "./utf8-bytes.ts";

/**
 * Values as JSON. With a schema, a value is validated before it is written and again when read: what is written is the
 * value as given, what is read is the schema's output. What JSON would write as `null` is refused: send null itself, a tombstone.
 */
export function json<T = unknown>(): Serde<T>;
export function json<In, Out>(schema: StandardSchema<In, Out>): Serde<In, Out>;
export function json<In, Out>(schema?: StandardSchema<In, Out>): Serde<In, Out> {
  const validate = validatorOf(schema, "json()");
  const toText = (value: In): string => {
    validate?.(value);
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined || text === "null")
      throw new TypeError(`JSON has no form for ${describeValue(value)} but null, which is a tombstone`);
    return text;
  };
  const read = (bytes: Uint8Array, start: number, end: number): Out => {
    const value: unknown = JSON.parse(decodeText(bytes, start, end));
    return (validate === null ? value : validate(value)) as Out;
  };
  const serde: Serde<In, Out> & LendingSerializer<In> = {
    serialize: (value) => encodeText(toText(value)),
    deserialize: (bytes) => read(bytes, 0, bytes.length),
    [LEND]: (value: In, _context: SerdeContext, role: Role) => lendText(toText(value), role),
  };
  return readsInPlace(lends(Object.freeze(serde)), read);
}
