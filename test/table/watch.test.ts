import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { utf8 } from "../../src/base/serde.ts";
import { turnOf } from "../../src/base/turn.ts";
import { Content } from "../../src/table/content.ts";
import type { Entry } from "../../src/table/entry.ts";
import { keyBytes, keyText } from "../../src/table/key-text.ts";
import { Watch } from "../../src/table/watch.ts";

function entry(key: string, offset: number, value: string | null = `v${offset}`, partition = 0, timestamp = offset): Entry {
  return { key, value: value === null ? null : (new TextEncoder().encode(value) as Bytes), headers: [], partition, offset, timestamp };
}

function watch(): Watch<string, string> {
  return new Watch({ topic: "t", serdes: { key: utf8, value: utf8 }, turn: turnOf(systemClock), signal: undefined, onLeave: () => {} });
}

describe("a watch", () => {
  it("gives every change in order, as long as no more than 1024 wait", async () => {
    const watching = watch();
    for (let offset = 0; offset < 1024; offset += 1) watching.push(entry("k", offset));
    for (let offset = 0; offset < 1024; offset += 1) expect((await watching.next()).value.offset).toBe(offset);
  });

  it("gives the newest of each key, in order, when more wait, and every change again once it was emptied", async () => {
    const watching = watch();
    for (let offset = 0; offset < 5000; offset += 1) watching.push(entry(`k${offset % 3}`, offset));
    const seen: number[] = [];
    while (seen.at(-1) !== 4999) seen.push((await watching.next()).value.offset);
    expect(seen).toEqual([...seen].sort((left, right) => left - right));
    expect(seen.length).toBeLessThanOrEqual(1024);
    expect(seen.slice(-3)).toEqual([4997, 4998, 4999]);
    for (let offset = 5000; offset < 5010; offset += 1) watching.push(entry("k", offset));
    for (let offset = 5000; offset < 5010; offset += 1) expect((await watching.next()).value.offset).toBe(offset);
  });

  it("goes on behind a change that does not deserialize", async () => {
    const watching = watch();
    const waiting = watching.next();
    watching.push({ ...entry("k", 0), value: Uint8Array.of(0xff) });
    watching.push(entry("k", 1));
    await expect(waiting).rejects.toMatchObject({ code: "DESERIALIZATION_FAILED" });
    expect((await watching.next()).value.offset).toBe(1);
  });

  it("tells an error once, and is over", async () => {
    const watching = watch();
    watching.push(entry("k", 0));
    const error = new Error("gone");
    watching.fail(error);
    await expect(watching.next()).rejects.toBe(error);
    expect((await watching.next()).done).toBe(true);
  });
});

describe("a watch that is read slowly, or no more", () => {
  it("keeps no change that was given, however many come behind it", async () => {
    const watching = watch();
    for (let offset = 0; offset < 1024; offset += 1) watching.push(entry("k", offset));
    for (let offset = 0; offset < 3000; offset += 1) {
      expect((await watching.next()).value.offset).toBe(offset);
      watching.push(entry("k", offset + 1024));
    }
    expect((await watching.next()).value.offset).toBe(3000);
  });

  it("is over once, however often it is told so, and takes nothing more", async () => {
    let left = 0;
    const stop = new AbortController();
    const parts = {
      topic: "t",
      serdes: { key: utf8, value: utf8 },
      turn: turnOf(systemClock),
      signal: stop.signal,
      onLeave: () => (left += 1),
    };
    const watching = new Watch<string, string>(parts);
    const waiting = watching.next();
    await expect(watching.next()).rejects.toMatchObject({ code: "CONCURRENT_CALL" });
    expect(await watching.return("done")).toEqual({ done: true, value: "done" });
    expect((await waiting).done).toBe(true);
    watching.push(entry("k", 0));
    watching.fail(new Error("too late"));
    watching.end();
    stop.abort();
    expect((await watching.next()).done).toBe(true);
    expect(left).toBe(1);
    await expect(watching.throw(new Error("the loop's own"))).rejects.toThrow("the loop's own");
    await expect(new Watch<string, string>(parts).next()).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("the content of a table", () => {
  it("keeps the newest of a partition by offset, of two by time, then by partition", () => {
    const content = new Content();
    expect(content.put(entry("k", 5))).toBe(true);
    expect(content.put(entry("k", 4, "old"))).toBe(false);
    expect(content.put(entry("k", 0, "other", 1, 4))).toBe(false);
    expect(content.put(entry("k", 0, "other", 1, 5))).toBe(true);
    expect(content.put(entry("k", 6, "again", 0, 5))).toBe(false);
    expect(content.put(entry("k", 7, "again", 0, 6))).toBe(true);
    expect(content.get("k")?.offset).toBe(7);
  });

  it("knows a tombstone while it is filled, whichever partition is read first, and forgets it then", () => {
    const content = new Content();
    content.put(entry("k", 0, null, 1, 10));
    content.put(entry("k", 0, "older", 0, 5));
    expect(content.get("k")).toBeUndefined();
    content.filled();
    expect([...content.sweep(1)].length).toBe(1);
    expect(content.snapshot()).toEqual([]);
    content.put(entry("k", 1, "new", 0, 11));
    expect(content.snapshot()).toHaveLength(1);
    content.put(entry("k", 1, null, 1, 12));
    expect(content.snapshot()).toEqual([]);
  });

  it("drops what lies below its log's start", () => {
    const content = new Content();
    content.filled();
    for (let offset = 0; offset < 10; offset += 1) content.put(entry(`k${offset}`, offset));
    content.beginsAt(0, 5);
    expect(content.get("k4")).toBeUndefined();
    expect(content.get("k5")).toBeDefined();
    expect(content.snapshot()).toHaveLength(5);
    for (const _ of content.sweep(2)) expect(content.snapshot()).toHaveLength(5);
  });
});

describe("a key's text", () => {
  it("is its bytes, one character each, for keys of any length", () => {
    for (const byteLength of [0, 1, 255, 4096, 4097, 70_000]) {
      const bytes = Uint8Array.from({ length: byteLength }, (_, at) => (at * 31) & 255);
      expect(keyBytes(keyText(bytes))).toEqual(bytes);
      expect(keyText(bytes).length).toBe(byteLength);
    }
  });
});
