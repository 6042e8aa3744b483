/** Input cut at a delimiter, as it comes: a list of pieces for every chunk, so that what is typed is sent at once. */
import type { Readable } from "node:stream";
import { DataError } from "./cli-error.ts";

/** A longer piece is no record that a topic would take. */
const PIECE_BYTES_MAX = 64 * 1024 * 1024;

/** The last piece needs no delimiter behind it; an empty one at the end is none. Pieces are memory of their own chunk, never reused. */
export async function* pieces(input: Readable, delimiter: Uint8Array): AsyncGenerator<Buffer[]> {
  const separator = Buffer.from(delimiter);
  let held: Buffer[] = [];
  let heldByteLength = 0;
  for await (const given of input as AsyncIterable<Buffer | string>) {
    const chunk = typeof given === "string" ? Buffer.from(given) : given;
    held.push(chunk);
    heldByteLength += chunk.byteLength;
    if (heldByteLength > PIECE_BYTES_MAX + chunk.byteLength) {
      throw new DataError(`input: expected a delimiter within ${PIECE_BYTES_MAX} bytes, found none`, "MESSAGE_TOO_LARGE");
    }
    // Most chunks of a long piece hold no end of it: joining them all each time would take the square of its length.
    const joint = separator.byteLength === 1 ? chunk : Buffer.concat(held);
    if (!joint.includes(separator)) continue;
    const bytes = held.length === 1 ? chunk : Buffer.concat(held);
    const found: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(separator); at >= 0; at = bytes.indexOf(separator, from)) {
      found.push(bytes.subarray(from, at));
      from = at + separator.byteLength;
    }
    held = from < bytes.byteLength ? [bytes.subarray(from)] : [];
    heldByteLength = bytes.byteLength - from;
    yield found;
  }
  if (heldByteLength > 0) yield [Buffer.concat(held)];
}
