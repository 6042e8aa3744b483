/** The serde of MessagePack, plain as any language reads it. */
import type { Serde, SerdeContext, StandardSchema } from "../../api/serde.ts";
import { msgpackr, type Packr } from "../../vendor/msgpackr.js";
import { describeValue } from "../options.ts";
import { readsInPlace } from "./in-place.ts";
import { KEY, LEND, type LendingSerializer, lends, type Role } from "./lending.ts";
import { validatorOf } from "./standard-schema.ts";

const NIL = 0xc0;
/** Where in its batch the message lies that is read: looked at before anything else is read. */
const range = { start: 0, end: 0 };

/** One serves all: it keeps nothing between calls. Made for the first value, not for the serde: each log has one that it may never use. */
let shared: Packr | undefined;
/** The library's mode of packing from the beginning of its buffer again, where it does not go on behind what is there. */
let fromTheBeginning = 0;
/** What was lent last, in the one buffer that all packing is done in. Whoever has it may be about to copy it. */
let lent: Uint8Array | null = null;

/**
 * Values as MessagePack, without extensions of any library's own. With a schema, a value is validated before it is written and
 * again when read: what is written is the value as given, what is read is the schema's output.
 *
 * Written: null, booleans, strings, numbers, bigints of 64 bits, `Uint8Array`, `Date` (the timestamp extension), arrays, Maps with
 * string keys, plain objects and what has a `toJSON`; properties that are `undefined` are left out. Anything else, a cycle and more
 * than 512 levels are refused. Read: integers beyond 2^53 as `bigint`, maps as objects, with `__proto__` a name like any other.
 */
export function msgpack<T = unknown>(): Serde<T>;
export function msgpack<In, Out>(schema: StandardSchema<In, Out>): Serde<In, Out>;
export function msgpack<In, Out>(schema?: StandardSchema<In, Out>): Serde<In, Out> {
  const validate = validatorOf(schema, "msgpack()");
  const pack = (value: In, isBehind: boolean): Uint8Array<ArrayBuffer> => {
    validate?.(value);
    const packr = sharedPackr();
    const packed = packr.pack(value, isBehind ? 0 : fromTheBeginning);
    // No other message begins with it.
    if (packed[0] === NIL) throw new TypeError(`MessagePack has no form for ${describeValue(value)} but nil, which is a tombstone`);
    return packed;
  };
  const serde: Serde<In, Out> & LendingSerializer<In> = {
    // Perhaps between a loan and its copy: a producer whose topic or batch is at its end asks another process, and that call is packed here.
    serialize: (value) => {
      const held = lent;
      if (held === null) return new Uint8Array(pack(value, false));
      const kept = new Uint8Array(held);
      try {
        return new Uint8Array(pack(value, false));
      } finally {
        held.set(kept);
      }
    },
    deserialize: (bytes) => {
      const packr = sharedPackr();
      packr.copyBuffers = false;
      const value = packr.unpack(bytes);
      return (validate === null ? value : validate(value)) as Out;
    },
    // A key stays where it is while the value is packed behind it.
    [LEND]: (value: In, _context: SerdeContext, role: Role) => {
      lent = null;
      const packed = pack(value, role === KEY);
      lent = packed;
      return packed;
    },
  };
  return readsInPlace(lends(Object.freeze(serde)), (bytes, start, end) => {
    range.start = start;
    range.end = end;
    const packr = sharedPackr();
    packr.copyBuffers = true;
    const value = packr.unpack(bytes, range);
    return validate === null ? value : validate(value);
  });
}

function sharedPackr(): Packr {
  if (shared === undefined) {
    const { Packr, RESET_BUFFER_MODE } = msgpackr();
    fromTheBeginning = RESET_BUFFER_MODE;
    shared = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
  }
  return shared;
}
