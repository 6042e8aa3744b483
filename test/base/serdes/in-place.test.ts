/** Values read out of the middle of a batch: the same as out of bytes of their own, and none of the batch goes with them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../../src/api/bytes.ts";
import type { Deserializer, SerdeContext } from "../../../src/api/serde.ts";
import { bytes, json, msgpack, utf8 } from "../../../src/base/serde.ts";
import { inPlaceReaderOf, type ReadInPlace } from "../../../src/base/serdes/in-place.ts";
import { jsonValue, messagePackValue, text } from "./values.ts";

const context: SerdeContext = { topic: "orders", headers: [] };

/** What a call gives, or that it refuses. */
function outcome(call: () => unknown): unknown {
  try {
    return { given: call() };
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return "refused";
  }
}

function inPlace<T>(serde: Deserializer<T>): ReadInPlace<T> {
  const read = inPlaceReaderOf(serde);
  if (read === null) throw new Error("expected a serde that reads in place");
  return read;
}

describe("a value read in place", () => {
  const ours: Deserializer<unknown>[] = [utf8, bytes, json(), msgpack()];

  it("is what its bytes alone give, or refused as they are, whatever stands around them", () => {
    const noise = fc.uint8Array({ maxLength: 40 });
    const messages = fc.oneof(
      noise,
      text.map((value) => utf8.serialize(value, context)),
      jsonValue.filter((value) => value !== null).map((value) => json().serialize(value, context)),
      messagePackValue.filter((value) => value !== null && value !== undefined).map((value) => msgpack().serialize(value, context)),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), messages, noise, fc.nat(3), (before, message, behind, cut) => {
        const whole = message.subarray(0, Math.max(0, message.length - cut));
        const batch = new Uint8Array([...before, ...whole, ...behind]);
        for (const serde of ours) {
          const alone = outcome(() => serde.deserialize(new Uint8Array(whole) as Bytes, context));
          const within = outcome(() => inPlace(serde)(batch, before.length, before.length + whole.length, context));
          expect(within).toStrictEqual(alone);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("owns its bytes, deep inside as well: neither a post nor a change of the batch reaches them", () => {
    const message = msgpack().serialize({ list: [new Uint8Array([1, 2, 3])] }, context);
    const batch = new Uint8Array([0, ...message, 0]);
    const value = inPlace(msgpack<{ list: Bytes[] }>())(batch, 1, 1 + message.length, context);
    const raw = inPlace(bytes)(batch, 1, 3, context);
    const before = [...raw];
    batch.fill(9);
    expect(value.list[0]).toStrictEqual(new Uint8Array([1, 2, 3]));
    expect(value.list[0]?.buffer.byteLength).toBe(3);
    expect([...raw]).toStrictEqual(before);
    expect(raw.buffer.byteLength).toBe(2);
  });

  it.each([
    ["json", json],
    ["msgpack", msgpack],
  ] as const)("of %s is the output of its schema, and refused where the schema refuses it", (_name, make) => {
    const validate = (value: unknown) => (value === 4 ? { value: "four" } : { issues: [{ message: "not four" }] });
    const read = inPlace(make({ "~standard": { version: 1, vendor: "test", validate } }));
    const within = (value: unknown): unknown => {
      const message = make<unknown>().serialize(value, context);
      return read(new Uint8Array([0xff, ...message, 0xff]), 1, 1 + message.length, context);
    };
    expect(within(4)).toBe("four");
    expect(() => within(5)).toThrow("not four");
  });

  it("is read by the program's own deserializer where there is one, made of ours or not", () => {
    expect(inPlaceReaderOf({ ...utf8, deserialize: () => "mine" })).toBeNull();
    expect(inPlaceReaderOf({ deserialize: () => "mine" })).toBeNull();
  });

  it("of one batch after another, each changed in place and each of another length, is read from the right one", () => {
    const batch = new Uint8Array(64);
    for (let round = 0; round < 20; round++) {
      const message = msgpack().serialize({ round, half: round + 0.5 }, context);
      batch.set(message, round);
      expect(inPlace(msgpack())(batch, round, round + message.length, context)).toStrictEqual({ round, half: round + 0.5 });
      const shorter = batch.subarray(0, round + message.length);
      expect(inPlace(msgpack())(shorter, round, shorter.length, context)).toStrictEqual({ round, half: round + 0.5 });
    }
  });
});
