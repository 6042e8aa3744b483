/** The serde of text: UTF-8, as Kafka's StringSerializer writes it. */
import type { Serde, SerdeContext } from "../../api/serde.ts";
import { describeValue } from "../options.ts";
import { readsInPlace } from "./in-place.ts";
import { LEND, type LendingSerializer, lends, type Role } from "./lending.ts";
import { decodeText, encodeText, lendText } from "./utf8-bytes.ts";

const lending: Serde<string> & LendingSerializer<string> = {
  serialize: (value) => encodeText(requireText(value)),
  deserialize: (bytes) => decodeText(bytes),
  [LEND]: (value: string, _context: SerdeContext, role: Role) => lendText(requireText(value), role),
};

/** Text as UTF-8. Half a surrogate pair is not written, bytes that are no UTF-8 are not read: neither is replaced in silence. */
export const utf8: Serde<string> = readsInPlace(lends(Object.freeze(lending)), (bytes, start, end) => decodeText(bytes, start, end));

function requireText(value: unknown): string {
  if (typeof value !== "string") throw new TypeError(`utf8 takes a string, found ${describeValue(value)}`);
  return value;
}
