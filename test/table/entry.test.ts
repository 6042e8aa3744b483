/** What a table keeps of a record is its own, and what is no key is told as that. */
import { describe, expect, it } from "vitest";
import type { ConsumerRecord } from "../../src/api/consumer.ts";
import type { Serde } from "../../src/api/serde.ts";
import { utf8 } from "../../src/base/serde.ts";
import { decodedRecord, encodedKey, entryOf } from "../../src/table/entry.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

describe("an entry of a table", () => {
  it("has bytes of its own, headers without a value too, and hands out copies of them", () => {
    const batch = bytes("kv12");
    const record: ConsumerRecord<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> = {
      topic: "users",
      partition: 0,
      offset: 7,
      timestamp: 1,
      key: batch.subarray(0, 1),
      value: batch.subarray(1, 2),
      headers: [
        ["empty", null],
        ["one", batch.subarray(2)],
      ],
    };
    const entry = entryOf(record);
    batch.fill(0);
    if (entry === null) throw new Error("the record has a key");
    const first = decodedRecord("users", entry, { key: utf8, value: utf8 });
    expect(first).toMatchObject({
      key: "k",
      value: "v",
      offset: 7,
      headers: [
        ["empty", null],
        ["one", bytes("12")],
      ],
    });
    first.headers[1]?.[1]?.fill(0);
    expect(decodedRecord("users", entry, { key: utf8, value: utf8 }).headers[1]?.[1]).toEqual(bytes("12"));
    expect(entryOf({ ...record, key: null })).toBeNull();
  });

  it("is not looked for under what a serializer gave in place of bytes", () => {
    const wrong: Serde<string> = { serialize: (value) => value as never, deserialize: () => "" };
    expect(() => encodedKey("users", "a", wrong, "get()")).toThrow(
      expect.objectContaining({ code: "SERIALIZATION_FAILED", message: expect.stringContaining("no Uint8Array") as string }),
    );
  });
});
