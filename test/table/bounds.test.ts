/** How much a watch holds, in which steps a table is tidied, and which record of a key counts, asked at the exact bounds. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { SerdeError, UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import type { Turn } from "../../src/base/turn.ts";
import { Content } from "../../src/table/content.ts";
import { decodedKey, decodedRecord, type Entry, encodedKey } from "../../src/table/entry.ts";
import { keyBytes, keyText } from "../../src/table/key-text.ts";
import { Watch } from "../../src/table/watch.ts";

const EVERY_CHANGE_MAX = 1024;
const KEYS_MAX = 65_536;
const value = new TextEncoder().encode("v") as Bytes;
const entry = (key: string, offset: number, fields: Partial<Entry> = {}): Entry => {
  return { key, value, headers: [], partition: 0, offset, timestamp: offset, ...fields };
};

function watching(signal?: AbortSignal) {
  const turn = { spentCount: 0, waitedCount: 0 };
  const left: unknown[] = [];
  const watch = new Watch<string, string>({
    topic: "users",
    serdes: { key: utf8, value: utf8 },
    turn: {
      isSpent: () => turn.spentCount-- > 0,
      next: async () => {
        turn.waitedCount += 1;
      },
    } as unknown as Turn,
    signal,
    onLeave: (each) => left.push(each),
  });
  return { watch, turn, left };
}

describe("a watch", () => {
  it("keeps 1,024 changes that wait as they are, and of one more the newest of each key", async () => {
    const { watch } = watching();
    for (let offset = 0; offset < EVERY_CHANGE_MAX; offset += 1) watch.push(entry("k", offset));
    expect((await watch.next()).value.offset).toBe(0);
    watch.push(entry("k", EVERY_CHANGE_MAX));
    // As many wait now as may: what was asked for counts no more.
    expect((await watch.next()).value.offset).toBe(1);
    watch.push(entry("k", EVERY_CHANGE_MAX + 1));
    watch.push(entry("other", EVERY_CHANGE_MAX + 2));
    expect([(await watch.next()).value.offset, (await watch.next()).value.offset]).toEqual([EVERY_CHANGE_MAX + 1, EVERY_CHANGE_MAX + 2]);
  });

  it("gives what is thinned in the order of what is left: by the newest change of each key", async () => {
    const { watch } = watching();
    for (const [index, key] of ["a", "b", "c", "a"].entries()) watch.push(entry(key, index));
    for (let offset = 4; offset <= EVERY_CHANGE_MAX; offset += 1) watch.push(entry("d", offset));
    const seen = [];
    for (let count = 0; count < 4; count += 1) seen.push((await watch.next()).value);
    expect(seen.map(({ key, offset }) => [key, offset])).toEqual([
      ["b", 1],
      ["c", 2],
      ["a", 3],
      ["d", EVERY_CHANGE_MAX],
    ]);
  });

  it("has room for a change of each of 65,536 keys, and ends with an error before there are twice as many", async () => {
    const { watch, left } = watching();
    let offset = 0;
    for (; offset < KEYS_MAX; offset += 1) watch.push(entry(String(offset), offset));
    expect([left, (await watch.next()).value.offset]).toEqual([[], 0]);
    for (; offset < 2 * KEYS_MAX; offset += 1) watch.push(entry(String(offset), offset));
    expect(left).toEqual([watch]);
    await expect(watch.next()).rejects.toMatchObject({ name: "UsageError", code: "BUFFER_EXHAUSTED" });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  it("gives a change at once to who waits, and none of it twice", async () => {
    const { watch } = watching();
    const waiting = watch.next();
    await Promise.resolve();
    watch.push(entry("k", 5, { partition: 2, timestamp: 9 }));
    watch.push(entry("k", 6, { value: null }));
    expect((await waiting).value).toEqual({ topic: "users", partition: 2, offset: 5, timestamp: 9, key: "k", value: "v", headers: [] });
    expect((await watch.next()).value).toMatchObject({ offset: 6, value: null });
  });

  it("is ended by its signal, with the signal's reason: who waits is told, else who asks next", async () => {
    for (const isWaiting of [true, false]) {
      const stop = new AbortController();
      const { watch, left } = watching(stop.signal);
      const waiting = isWaiting ? watch.next() : null;
      await Promise.resolve();
      stop.abort(new Error("enough"));
      await expect(waiting ?? watch.next()).rejects.toThrow("enough");
      expect([left, (await watch.next()).done]).toEqual([[watch], true]);
    }
  });

  it("lets others have their turn between two of its changes", async () => {
    const { watch, turn } = watching();
    watch.push(entry("k", 0));
    turn.spentCount = 1;
    expect([(await watch.next()).value.offset, turn.waitedCount]).toEqual([0, 1]);
  });
});

describe("the content of a table", () => {
  it("is tidied in steps of so many entries, once for each reason to", () => {
    const content = new Content();
    const stepCount = (): number => [...content.sweep(4)].length;
    for (let offset = 0; offset < 10; offset += 1) content.put(entry(String(offset), offset));
    expect(stepCount()).toBe(0);
    content.filled();
    expect([stepCount(), stepCount()]).toEqual([2, 0]);
    content.filled();
    expect(stepCount()).toBe(0);
    content.beginsAt(0, 2);
    expect([stepCount(), stepCount()]).toEqual([2, 0]);
    // The log begins no earlier for being told so, and there are eight now.
    content.beginsAt(0, 2);
    content.beginsAt(0, 1);
    expect([stepCount(), content.snapshot().length]).toEqual([0, 8]);
    content.beginsAt(1, 100);
    expect([stepCount(), content.snapshot().length]).toEqual([2, 8]);
  });

  it("is what stands at or above the start of its own partition, to the offset", () => {
    const content = new Content();
    for (const partition of [0, 1]) for (const offset of [4, 5]) content.put(entry(`${partition}/${offset}`, offset, { partition }));
    content.beginsAt(0, 5);
    const there = ["0/4", "0/5", "1/4", "1/5"].filter((key) => content.get(key) !== undefined);
    expect(there).toEqual(["0/5", "1/4", "1/5"]);
    expect(content.snapshot().map(({ key }) => key)).toEqual(there);
    content.clear();
    expect(content.snapshot()).toEqual([]);
  });

  it.each([
    ["the same offset of its partition again", { offset: 5 }, { offset: 5 }, false],
    ["the offset behind it, though its time is before", { offset: 5, timestamp: 9 }, { offset: 6, timestamp: 1 }, true],
    ["another partition's, later by a millisecond", { partition: 1, timestamp: 5 }, { partition: 0, timestamp: 6 }, true],
    ["another partition's of that time, with a higher number", { partition: 0, timestamp: 5 }, { partition: 1, timestamp: 5 }, true],
    ["another partition's of that time, with a lower number", { partition: 1, timestamp: 5 }, { partition: 0, timestamp: 5 }, false],
    ["another partition's, earlier, with a higher number and offset", { timestamp: 5 }, { partition: 1, offset: 9, timestamp: 4 }, false],
  ])("takes %s for the newer: %j, %j, %j", (_, held, next, isNewer) => {
    const content = new Content();
    expect(content.put(entry("k", 3, held))).toBe(true);
    expect(content.put(entry("k", 3, next))).toBe(isNewer);
  });
});

describe("a key", () => {
  it("is put together again from pieces where it is longer than one, and told apart to the last byte", () => {
    for (const byteLength of [4095, 4096, 4097, 8192, 8193, 300_000]) {
      const bytes = new Uint8Array(byteLength).fill(7) as Bytes;
      const other = bytes.slice();
      other[byteLength - 1] = 8;
      expect(Buffer.compare(keyBytes(keyText(bytes)), bytes)).toBe(0);
      expect(keyText(bytes) === keyText(other)).toBe(false);
    }
  });

  it("and a value that do not deserialize are told with their record as stored, by which of them it was", () => {
    const bad = {
      serialize: (): never => {
        throw new RangeError("no bytes for this");
      },
      deserialize: (): never => {
        throw new RangeError("no sense in this");
      },
    };
    const stored = entry("k", 7, { partition: 3, headers: [["h", null]] });
    const record = { topic: "users", partition: 3, offset: 7, timestamp: 7, key: keyBytes("k"), value, headers: [["h", null]] };
    for (const [serdes, what] of [
      [{ key: bad, value: utf8 }, "the key does not"],
      [{ key: utf8, value: bad }, "the value does not"],
    ] as const) {
      expect(() => decodedRecord("users", stored, serdes)).toThrow(
        expect.objectContaining({ code: "DESERIALIZATION_FAILED", record, message: expect.stringContaining(what) as string }),
      );
    }
    // A tombstone has no value that could be bad.
    expect(decodedRecord("users", { ...stored, value: null }, { key: utf8, value: bad }).value).toBe(null);
    expect(() => decodedKey("users", stored, bad)).toThrow(SerdeError);
    expect(() => encodedKey("users", "k", bad, "get()")).toThrow(
      expect.objectContaining({ code: "SERIALIZATION_FAILED", record: null, cause: expect.any(RangeError) as RangeError }),
    );
    expect(() => encodedKey("users", "k", bad, "get()")).not.toThrow(UsageError);
  });
});
