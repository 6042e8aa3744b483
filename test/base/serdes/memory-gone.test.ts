/**
 * A program may transfer the memory that a record lies in to another thread. Text of up to 24 bytes was then read as so many NULs: what is
 * not there any more is refused, by every serde of ours.
 */
import { expect, it } from "vitest";
import { bytes, json, msgpack, utf8 } from "../../../src/base/serde.ts";
import { inPlaceReaderOf } from "../../../src/base/serdes/in-place.ts";

const CONTEXT = { topic: "orders", headers: [] };

it.each([
  ["utf8", utf8, (length: number) => "x".repeat(length)],
  ["json", json(), (length: number) => "x".repeat(length)],
  ["msgpack", msgpack(), (length: number) => "x".repeat(length)],
  ["bytes", bytes, (length: number) => new Uint8Array(length)],
] as const)("%s refuses to read from memory that was transferred", (_, serde, make) => {
  const read = inPlaceReaderOf(serde as never);
  for (let length = 1; length <= 70; length += 1) {
    const written = (serde as typeof utf8).serialize(make(length) as string, CONTEXT);
    const batch = Uint8Array.from([0xff, ...written, 0xff]);
    const end = 1 + written.length;
    expect(read?.(batch, 1, end, CONTEXT)).toEqual(make(length));
    structuredClone(batch.buffer, { transfer: [batch.buffer] });
    expect(() => read?.(batch, 1, end, CONTEXT), `${length} bytes`).toThrow(TypeError);
  }
});
