/** Text of every short length with a character of more bytes at every place, memory that is lent and memory that is not, and a schema's verdicts. */
import { describe, expect, it, vi } from "vitest";
import type { Bytes } from "../../../src/api/bytes.ts";
import type { SerdeContext, StandardSchema } from "../../../src/api/serde.ts";
import { bytes, json, msgpack, utf8 } from "../../../src/base/serde.ts";
import { inPlaceReaderOf } from "../../../src/base/serdes/in-place.ts";
import { isLending, KEY, lenderOf, lends, VALUE } from "../../../src/base/serdes/lending.ts";
import { decodeText, lendText, wordsOfLentKey } from "../../../src/base/serdes/utf8-bytes.ts";

const context: SerdeContext = { topic: "orders", headers: [] };
const ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ~!?";

describe("short text", () => {
  it("of every length up to 66, plain or with one character of more bytes at any place, is written and read exactly", () => {
    const read = inPlaceReaderOf(utf8);
    for (let length = 0; length <= ASCII.length; length++) {
      for (let at = -1; at < length; at++) {
        const text = at < 0 ? ASCII.slice(0, length) : `${ASCII.slice(0, at)}\u0080${ASCII.slice(at + 1, length)}`;
        const expected = Buffer.from(text);
        const lent = lendText(text, at % 2 === 0 ? KEY : VALUE);
        if (expected.compare(lent) !== 0) expect([...lent], JSON.stringify(text)).toEqual([...expected]);
        const batch = Uint8Array.of(0xff, ...expected, 0xff);
        if (decodeText(batch, 1, batch.length - 1) !== text || read?.(batch, 1, batch.length - 1, context) !== text)
          expect(decodeText(batch, 1, batch.length - 1)).toBe(text);
      }
    }
    expect(decodeText(Uint8Array.of(0x41, 0x7f))).toBe("A\x7f");
  });

  it("with a byte that is no UTF-8, at any place of any short length, is not read", () => {
    for (let length = 1; length <= 26; length++) {
      for (let at = 0; at < length; at++) {
        const wrong = new Uint8Array(length).fill(0x41);
        wrong[at] = 0x80;
        expect(() => decodeText(wrong), `${at} of ${length}`).toThrow(TypeError);
      }
    }
  });
});

describe("text that is lent", () => {
  it("as a short key has its first four bytes in a word, and is known by its very view", () => {
    const key = lendText("abcd", KEY);
    expect(wordsOfLentKey(key)?.[0]).toBe(0x64636261);
    expect(wordsOfLentKey(Uint8Array.from(key))).toBeNull();
    expect(wordsOfLentKey(key.subarray(0, 3))).toBeNull();
    expect(wordsOfLentKey(lendText("abcd", VALUE))).toBeNull();
    expect(wordsOfLentKey(lendText("", KEY))).not.toBeNull();
    expect(wordsOfLentKey(lendText("é", KEY))).toBeNull();
    expect([wordsOfLentKey(lendText("x".repeat(64), KEY)), wordsOfLentKey(lendText("x".repeat(65), KEY))]).toEqual([
      expect.anything(),
      null,
    ]);
  });

  it("lies in one memory for each role, and in memory of its own where it might not fit", () => {
    const shared = lendText("x".repeat(1365), VALUE);
    expect(lendText("short", VALUE).buffer).toBe(shared.buffer);
    expect(lendText("short", KEY).buffer).not.toBe(shared.buffer);
    expect(lendText("x".repeat(1366), VALUE).buffer).not.toBe(shared.buffer);
    expect(lendText("\u0800".repeat(1365), VALUE)).toHaveLength(4095);
  });

  it("is refused with half a surrogate pair, of any length", () => {
    for (const length of [0, 1, 62, 63, 64, 1364, 1366]) {
      for (const text of [`${"x".repeat(length)}\ud800`, `\udc00${"x".repeat(length)}`])
        for (const role of [KEY, VALUE] as const) expect(() => lendText(text, role), `${length}`).toThrow("half a surrogate pair");
    }
  });
});

describe("a serializer", () => {
  it("of the program's own gives what its own method gives, and keeps it", () => {
    const own = { serialize: (value: string) => Uint8Array.of(value.length) };
    expect(isLending(own)).toBe(false);
    expect([...lenderOf(own)("abc", context, KEY)]).toEqual([3]);
    expect([utf8, bytes, json(), msgpack()].map(isLending)).toEqual([true, true, true, true]);
    expect(lends(own)).toBe(own);
    expect(isLending(own)).toBe(true);
  });

  it("of MessagePack leaves what it lent where it is, while another message is made before the copy", () => {
    const serde = msgpack<unknown>();
    const lent = lenderOf(serde)({ a: "the value that was lent" }, context, VALUE);
    const before = [...lent];
    const other = serde.serialize(["quite another one, and a longer one at that", 1, 2, 3], context);
    expect([...lent]).toEqual(before);
    expect(serde.deserialize(other as Bytes, context)).toEqual(["quite another one, and a longer one at that", 1, 2, 3]);
    // Also where that message is refused.
    expect(() => serde.serialize(["x".repeat(30), () => 1], context)).toThrow();
    expect([...lent]).toEqual(before);
  });

  it("of MessagePack that is the first of its process writes as any later one: a small number in one byte, and nil for what is undefined", async () => {
    vi.resetModules();
    const { msgpack: first } = await import("../../../src/base/serdes/msgpack.ts");
    const serde = first<unknown>();
    const message = serde.serialize({ a: [undefined, 127] }, context);
    expect([...message]).toEqual([0x81, 0xa1, 0x61, 0x92, 0xc0, 0x7f]);
    expect(serde.deserialize(message as Bytes, context)).toEqual({ a: [null, 127] });
  });

  it("of MessagePack lends one value where it lent the one before: thousands take no more room than one", () => {
    const lend = lenderOf(msgpack<unknown>());
    const first = lend({ index: -1, text: "x".repeat(90) }, context, VALUE);
    for (let index = 0; index < 1000; index += 1) {
      const lent = lend({ index, text: "x".repeat(90) }, context, VALUE);
      expect([lent.buffer === first.buffer, lent.byteOffset]).toEqual([true, first.byteOffset]);
    }
  });

  it("of MessagePack reads bytes within a message of its own where they lie, without a copy", () => {
    const message = msgpack().serialize([Uint8Array.of(1, 2)], context) as Bytes;
    // In the middle of a batch they are copied: what was read that way before changes nothing here.
    inPlaceReaderOf(msgpack())?.(message, 0, message.length, context);
    const [inner] = msgpack<[Bytes]>().deserialize(message, context);
    expect([...inner]).toEqual([1, 2]);
    expect(inner.buffer).toBe(message.buffer);
  });

  it("of text says what it takes and what it was given", () => {
    for (const [wrong, found] of [
      [5, "5"],
      [null, "null"],
      [["a"], "an array of 1"],
    ] as const) {
      expect(() => utf8.serialize(wrong as never, context)).toThrow(`utf8 takes a string, found ${found}`);
      expect(() => lenderOf(utf8)(wrong as never, context, KEY)).toThrow(`utf8 takes a string, found ${found}`);
    }
  });

  it("of MessagePack refuses nil and no other message of one byte", () => {
    for (const value of [0, true, false, "", [], {}]) expect(msgpack().serialize(value, context)).toHaveLength(1);
    for (const value of [null, undefined]) expect(() => msgpack().serialize(value, context)).toThrow("but nil, which is a tombstone");
  });

  it("of bytes takes none whose memory was handed over, and does take bytes that are none", () => {
    const gone = new Uint8Array(3);
    structuredClone(gone, { transfer: [gone.buffer] });
    expect(() => bytes.serialize(gone, context)).toThrow("handed over");
    expect(bytes.serialize(new Uint8Array(0), context)).toHaveLength(0);
    const given = new Uint8Array(3);
    expect(bytes.serialize(given, context)).toBe(given);
  });
});

describe("a schema's verdict", () => {
  const asked = (verdict: unknown): (() => unknown) => {
    const schema = { "~standard": { version: 1, vendor: "test", validate: () => verdict } } as unknown as StandardSchema<unknown, unknown>;
    return () => json(schema).deserialize(Uint8Array.of(0x31) as Bytes, context);
  };

  it.each([
    [{ value: 5 }, 5],
    [{ value: 5, issues: undefined }, 5],
    [{ value: 5, issues: null }, 5],
    [{ value: undefined }, undefined],
    [JSON.parse('{"value":5,"then":"no function"}'), 5],
  ])("%j is the value %s", (verdict, value) => {
    expect(asked(verdict)()).toBe(value);
  });

  const issues = (count: number) => ({ issues: Array.from({ length: count }, (_, at) => ({ message: `m${at}` })) });
  it.each([
    [issues(0), "refuses the value: "],
    [issues(1), "refuses the value: m0"],
    [issues(3), "refuses the value: m0; m1; m2"],
    [issues(4), "refuses the value: m0; m1; m2; and 1 more"],
    [{ issues: [{ message: "m", path: [] }] }, "refuses the value: m"],
    [{ issues: [{ message: "m", path: ["a", 0, { key: "b" }, Symbol("s")] }] }, "refuses the value: a.0.b.Symbol(s): m"],
  ])("%j is told as %s", (verdict, sentence) => {
    expect(asked(verdict)).toThrow(expect.objectContaining({ message: `the schema of test ${sentence}`, cause: verdict.issues }));
  });

  it("may be that of a schema that is a function", () => {
    const schema = Object.assign(() => {}, { "~standard": { version: 1, vendor: "test", validate: () => ({ value: 7 }) } });
    expect(json(schema as never).deserialize(Uint8Array.of(0x31) as Bytes, context)).toBe(7);
  });
});
