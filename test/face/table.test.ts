import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import type { Odradek } from "../../src/api/odradek.ts";
import type { Serde } from "../../src/api/serde.ts";
import { SerdeError } from "../../src/base/errors.ts";
import { bytes, memory, utf8 } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { heard, openLog, PLACES } from "./support.ts";

const compact = { cleanupPolicy: "compact" } as const;
const text: { key: Serde<string>; value: Serde<string> } = { key: utf8, value: utf8 };

async function opened(partitions = 1): Promise<Odradek> {
  const log = await openLog(memory());
  await log.createTopic("users", { ...compact, partitions });
  return log;
}

async function all<T>(iterator: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of iterator) found.push(each);
  return found;
}

describe.each(PLACES)("a table on $place", ({ make }) => {
  it("holds the newest value of each key, in all partitions, as soon as it is given", async () => {
    const log = await openLog(make());
    await log.createTopic("users", { ...compact, partitions: 5 });
    const producer = log.producer(text);
    const expected = new Map<string, string>();
    for (let round = 0; round < 3; round += 1) {
      for (let user = 0; user < 100; user += 1) {
        const deleted = (user + round) % 7 === 0;
        void producer.send({ topic: "users", key: `u${user}`, value: deleted ? null : `${round}` });
        if (deleted) expected.delete(`u${user}`);
        else expected.set(`u${user}`, `${round}`);
      }
    }
    await producer.flush();
    const table = await log.table("users", text);
    expect(new Map(await all(table.entries()))).toEqual(expected);
    expect(await table.get("u1")).toBe("2");
    expect(await table.has("u1")).toBe(true);
    expect(await table.get("nobody")).toBeUndefined();
    expect(await table.has("nobody")).toBe(false);
  });

  it("is the same after the log was compacted under it, and for a table opened then", async () => {
    const log = await openLog(make());
    await log.createTopic("users", { ...compact, segmentBytes: 1024, minCleanableDirtyRatio: 0, deleteRetentionMs: 0 });
    const producer = log.producer(text);
    const table = await log.table("users", text);
    const expected = new Map<string, string>();
    for (let round = 0; round < 5; round += 1) {
      for (let user = 0; user < 40; user += 1) {
        const value = (user * 7 + round) % 5 === 0 ? null : `value ${round} of ${user}`;
        await producer.send({ topic: "users", key: `u${user}`, value });
        if (value === null) expected.delete(`u${user}`);
        else expected.set(`u${user}`, value);
      }
      await log.maintain();
    }
    expect(new Map(await all(table.entries()))).toEqual(expected);
    const later = await log.table("users", text);
    expect(new Map(await all(later.entries()))).toEqual(expected);
  });
});

describe("a table", () => {
  it("sees every send that was acknowledged before the call", async () => {
    const log = await opened(3);
    const producer = log.producer(text);
    const table = await log.table("users", text);
    for (let count = 0; count < 200; count += 1) {
      await producer.send({ topic: "users", key: `k${count % 17}`, value: String(count) });
      expect(await table.get(`k${count % 17}`)).toBe(String(count));
    }
    await producer.send({ topic: "users", key: "k3", value: null });
    expect(await table.has("k3")).toBe(false);
    expect((await all(table.entries())).length).toBe(16);
  });

  it("answers many who ask at once, while records keep coming", async () => {
    const log = await opened(2);
    const producer = log.producer(text);
    const table = await log.table("users", text);
    let isOver = false;
    const writing = (async () => {
      for (let count = 0; !isOver; count += 1) await producer.send({ topic: "users", key: `other${count % 100}`, value: "x" });
    })();
    for (let round = 0; round < 20; round += 1) {
      await producer.send({ topic: "users", key: "mine", value: String(round) });
      const answers = await Promise.all(Array.from({ length: 20 }, () => table.get("mine")));
      expect(new Set(answers)).toEqual(new Set([String(round)]));
    }
    isOver = true;
    await writing;
  });

  it("gives a listing of one moment, whatever changes while it is read", async () => {
    const log = await opened();
    const producer = log.producer(text);
    await producer.sendBatch(Array.from({ length: 50 }, (_, index) => ({ topic: "users", key: `k${index}`, value: "old" })));
    const table = await log.table("users", text);
    const seen: [string, string][] = [];
    for await (const entry of table.entries()) {
      if (seen.length === 10) {
        await producer.sendBatch(
          Array.from({ length: 80 }, (_, index) => ({ topic: "users", key: `k${index}`, value: index % 2 ? "new" : null })),
        );
        await table.get("k0");
      }
      seen.push(entry);
    }
    expect(seen.length).toBe(50);
    expect(seen.every(([, value]) => value === "old")).toBe(true);
    expect((await all(table.entries())).length).toBe(40);
  });

  it("takes in partitions that are added later", async () => {
    const log = await opened(1);
    const table = await log.table("users", text);
    const producer = log.producer(text);
    await producer.send({ topic: "users", key: "a", value: "1" });
    await log.createPartitions("users", 4);
    await producer.send({ topic: "users", partition: 3, key: "b", value: "2" });
    expect(await table.get("b")).toBe("2");
    expect(await table.get("a")).toBe("1");
  });

  it("goes by the time of records where one key stands in two partitions", async () => {
    const log = await opened(2);
    const producer = log.producer(text);
    await producer.send({ topic: "users", partition: 0, key: "moved", value: "older", timestamp: 1000 });
    await producer.send({ topic: "users", partition: 1, key: "moved", value: "newer", timestamp: 2000 });
    await producer.send({ topic: "users", partition: 0, key: "gone", value: "older", timestamp: 1000 });
    await producer.send({ topic: "users", partition: 1, key: "gone", value: null, timestamp: 2000 });
    await producer.send({ topic: "users", partition: 1, key: "back", value: null, timestamp: 1000 });
    await producer.send({ topic: "users", partition: 0, key: "back", value: "again", timestamp: 2000 });
    for (let round = 0; round < 3; round += 1) {
      const table = await log.table("users", text);
      expect(new Map(await all(table.entries()))).toEqual(new Map([["moved", "newer"], ["back", "again"]])); // biome-ignore format: pairs
      await table.close();
    }
  });

  it("tells keys apart by their bytes, whatever they look like", async () => {
    const log = await opened();
    const producer = log.producer({ key: bytes, value: utf8 });
    const keys = [
      ...["__proto__", "constructor", "hasOwnProperty", ""].map((name) => new TextEncoder().encode(name)),
      Uint8Array.of(0),
      Uint8Array.of(0, 0),
      Uint8Array.of(0x92),
      Uint8Array.of(0xc2, 0x92),
      Uint8Array.from({ length: 256 }, (_, byte) => byte),
      new Uint8Array(10_000).fill(7),
      new Uint8Array(10_001).fill(7),
    ];
    await producer.sendBatch(keys.map((key, index) => ({ topic: "users", key, value: String(index) })));
    const table = await log.table("users", { key: bytes, value: utf8 });
    for (const [index, key] of keys.entries()) expect(await table.get(key.slice())).toBe(String(index));
    const listed = await all(table.entries());
    expect(listed.map(([key, value]) => [Buffer.from(key).toString("hex"), value]).sort()).toEqual(
      keys.map((key, index) => [Buffer.from(key).toString("hex"), String(index)]).sort(),
    );
    expect(({} as Record<string, unknown>)["0"]).toBeUndefined();
  });

  it("hands out values that are the caller's own", async () => {
    const log = await opened();
    const producer = log.producer({ key: utf8, value: bytes });
    await producer.send({ topic: "users", key: "k", value: Uint8Array.of(1, 2, 3) });
    const table = await log.table("users", { key: utf8, value: bytes as Serde<Uint8Array> });
    const first = (await table.get("k")) as Bytes;
    first.fill(9);
    expect(await table.get("k")).toEqual(Uint8Array.of(1, 2, 3));
    expect(first.buffer.byteLength).toBe(3);
  });

  it("refuses the read of a key whose value does not deserialize, and of no other", async () => {
    const log = await opened();
    const raw = log.producer({ key: utf8, value: bytes });
    await raw.send({ topic: "users", key: "bad", value: Uint8Array.of(0xff) });
    await raw.send({ topic: "users", key: "good", value: Uint8Array.of(0x61) });
    const table = await log.table("users", text);
    const refused = await table.get("bad").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SerdeError);
    expect((refused as SerdeError).record).toMatchObject({ topic: "users", partition: 0, offset: 0, value: Uint8Array.of(0xff) });
    expect(await table.has("bad")).toBe(true);
    expect(await table.get("good")).toBe("a");
    const entries = table.entries();
    await expect(entries.next()).rejects.toBeInstanceOf(SerdeError);
    expect(await entries.next()).toEqual({ done: false, value: ["good", "a"] });
    const watch = table.watch();
    await raw.sendBatch(
      ["bad", "good"].map((key) => ({ topic: "users", key, value: key === "bad" ? Uint8Array.of(0xfe) : Uint8Array.of(0x62) })),
    );
    await expect(watch.next()).rejects.toBeInstanceOf(SerdeError);
    expect((await watch.next()).value).toMatchObject({ key: "good", value: "b" });
    await raw.send({ topic: "users", key: "bad", value: null });
    expect(await table.get("bad")).toBeUndefined();
  });

  it("says which topics it is for", async () => {
    const log = await openLog(memory());
    await log.createTopic("plain");
    await expect(log.table("plain")).rejects.toMatchObject({ name: "UsageError", code: "POLICY_VIOLATION" });
    await expect(log.table("plain")).rejects.toThrow(/createTopic\("plain", \{ cleanupPolicy: "compact" \}\)/);
    await expect(log.table("plains")).rejects.toThrow(/"plain"/);
    await expect(log.table("plain", { keys: utf8 } as never)).rejects.toMatchObject({ code: "UNKNOWN_CONFIG" });
    await expect(log.table("plain", { key: {} } as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(log.table(7 as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await log.createTopic("both", { cleanupPolicy: "compact,delete" });
    const table = await log.table<string, string>("both");
    for (const key of [null, undefined]) await expect(table.get(key as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(table.get(5 as never)).rejects.toMatchObject({ name: "SerdeError", code: "SERIALIZATION_FAILED" });
    expect(() => table.watch({ signals: 1 } as never)).toThrow(/did you mean signal/);
  });

  it("forgets what deleteRecords took from the log", async () => {
    const log = await openLog(memory());
    await log.createTopic("users", { cleanupPolicy: "compact,delete" });
    const producer = log.producer(text);
    for (const key of ["a", "b", "c"]) await producer.send({ topic: "users", key, value: key });
    const table = await log.table("users", text);
    await log.deleteRecords({ topic: "users", partition: 0 }, 2);
    expect(await all(table.entries())).toEqual([["c", "c"]]);
    expect(await table.get("a")).toBeUndefined();
  });

  it("skips records without a key, and reports them", async () => {
    const { of, onEvent } = heard();
    const log = await openLog(memory(), { onEvent });
    await log.createTopic("users");
    const producer = log.producer(text);
    await producer.sendBatch([{ topic: "users", value: "keyless" }, { topic: "users", key: "k", value: "v" }]); // biome-ignore format: two
    await log.alterTopic("users", { cleanupPolicy: "compact" });
    const table = await log.table("users", text);
    expect(await all(table.entries())).toEqual([["k", "v"]]);
    expect(of("record.skipped")).toMatchObject([{ recordCount: 1, partition: { topic: "users", partition: 0 } }]);
  });
});

describe("a table whose log cannot be read", () => {
  it("says so to whoever asks, and tries again for the next", async () => {
    const storage = faultyStorage(memory());
    const log = await openLog(storage);
    await log.createTopic("users", compact);
    const producer = log.producer(text);
    await producer.send({ topic: "users", key: "k", value: "1" });
    const table = await log.table("users", text);
    const watching = table.watch().next();
    // It may be told before anybody below comes to ask it.
    watching.catch(() => {});
    storage.fail({ call: "readAt", name: /\.log$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    // Larger than what is kept for a reader that waits: it must be read.
    const value = "2".repeat(20_000);
    await producer.send({ topic: "users", key: "k", value });
    await expect(table.get("k")).rejects.toMatchObject({ name: "StorageError" });
    await expect(watching).rejects.toMatchObject({ name: "StorageError" });
    await expect(table.has("k")).rejects.toMatchObject({ name: "StorageError" });
    storage.mend();
    expect(await table.get("k")).toBe(value);
    const again = table.watch().next();
    await producer.send({ topic: "users", key: "k", value: "3" });
    expect((await again).value).toMatchObject({ value: "3" });
  });
});

describe("a table whose topic goes", () => {
  it("fails from then on, and so do those who watch", async () => {
    const log = await opened();
    const table = await log.table("users", text);
    const watching = table.watch().next();
    watching.catch(() => {});
    await log.deleteTopic("users");
    await expect(table.get("k")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(watching).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(all(table.entries())).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(all(table.watch())).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await table.close();
  });

  it("never shows the records of another topic of its name", async () => {
    const log = await opened();
    const producer = log.producer(text);
    await producer.send({ topic: "users", key: "old", value: "1" });
    const table = await log.table("users", text);
    const watching = all(table.watch());
    const watched = watching.catch((error: unknown) => error);
    await log.deleteTopic("users");
    await log.createTopic("users", compact);
    for (let count = 0; count < 3; count += 1) await producer.send({ topic: "users", key: "new", value: String(count) });
    await expect(table.get("new")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    await expect(table.has("old")).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    expect(await watched).toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    const anew = await log.table("users", text);
    expect(await all(anew.entries())).toEqual([["new", "2"]]);
  });
});

describe("watch()", () => {
  it("yields every change from the call on, to each who watches", async () => {
    const log = await opened(1);
    const producer = log.producer(text);
    await producer.send({ topic: "users", key: "k", value: "before" });
    const table = await log.table("users", text);
    const watches = [table.watch(), table.watch()];
    const firsts = watches.map((watch) => watch.next());
    await producer.send({ topic: "users", key: "k", value: "1", headers: [["h", "x"]] });
    await producer.send({ topic: "users", key: "k", value: "2" });
    await producer.send({ topic: "users", key: "k", value: null });
    for (const first of firsts)
      expect((await first).value).toMatchObject({
        topic: "users",
        partition: 0,
        offset: 1,
        key: "k",
        value: "1",
        headers: [["h", Uint8Array.of(0x78)]],
      });
    for (const watch of watches) {
      expect((await watch.next()).value).toMatchObject({ value: "2", offset: 2 });
      expect((await watch.next()).value).toMatchObject({ value: null, offset: 3 });
    }
  });

  it("keeps the newest change of each key for a reader who is slow", async () => {
    const log = await opened(1);
    const producer = log.producer(text);
    const table = await log.table("users", text);
    const watch = table.watch();
    const count = 20_000;
    for (let from = 0; from < count; from += 1000)
      await producer.sendBatch(
        Array.from({ length: 1000 }, (_, index) => ({ topic: "users", key: `k${(from + index) % 10}`, value: String(from + index) })),
      );
    await table.get("k0");
    const newest = new Map<string, string | null>();
    let seen = 0;
    let lastOffset = -1;
    while (newest.get("k9") !== String(count - 1)) {
      const { value } = await watch.next();
      expect(value.offset).toBeGreaterThan(lastOffset);
      lastOffset = value.offset;
      newest.set(value.key, value.value);
      seen += 1;
    }
    expect(seen).toBeLessThanOrEqual(2048);
    for (let key = 0; key < 10; key += 1) expect(newest.get(`k${key}`)).toBe(String(count - 10 + key));
  });

  it("ends with an error for one who never asks while ever new keys come", async () => {
    const log = await opened(1);
    const producer = log.producer(text);
    const table = await log.table("users", text);
    const watch = table.watch();
    for (let from = 0; from < 200_000; from += 10_000)
      await producer.sendBatch(Array.from({ length: 10_000 }, (_, index) => ({ topic: "users", key: `k${from + index}`, value: "v" })));
    expect(await table.get("k0")).toBe("v");
    await expect(watch.next()).rejects.toMatchObject({ code: "BUFFER_EXHAUSTED" });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  it("is ended by its signal, by leaving the loop and by close()", async () => {
    const log = await opened(1);
    const table = await log.table("users", text);
    const controller = new AbortController();
    const aborted = table.watch({ signal: controller.signal });
    const waiting = aborted.next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect((await aborted.next()).done).toBe(true);
    await expect(table.watch({ signal: controller.signal }).next()).rejects.toBe(reason);
    const left = table.watch();
    const pending = left.next();
    await left.return?.();
    expect((await pending).done).toBe(true);
    const closing = all(table.watch());
    await table.close();
    expect(await closing).toEqual([]);
  });

  it("refuses a second next() while the first waits", async () => {
    const log = await opened(1);
    const table = await log.table("users", text);
    const watch = table.watch();
    const first = watch.next();
    await expect(watch.next()).rejects.toMatchObject({ code: "CONCURRENT_CALL" });
    await table.close();
    expect((await first).done).toBe(true);
  });
});

describe("close()", () => {
  it("ends everything that waits, and may be called again", async () => {
    const log = await opened(1);
    const table = await log.table("users", text);
    const entries = table.entries();
    await log.producer(text).send({ topic: "users", key: "k", value: "v" });
    const getting = table.get("k").catch((error: { code: string }) => error.code);
    await Promise.all([table.close(), table.close()]);
    expect(["v", "TABLE_CLOSED"]).toContain(await getting);
    await expect(table.get("k")).rejects.toMatchObject({ code: "TABLE_CLOSED" });
    await expect(table.has("k")).rejects.toMatchObject({ code: "TABLE_CLOSED" });
    await expect(entries.next()).rejects.toMatchObject({ code: "TABLE_CLOSED" });
    expect(() => table.watch()).toThrow(/closed/);
    expect(() => table.entries()).toThrow(/closed/);
  });

  it("comes with the log's", async () => {
    const log = await opened(1);
    const table = await log.table("users", text);
    const watching = all(table.watch());
    await log.close();
    expect(await watching).toEqual([]);
    await expect(table.get("k")).rejects.toMatchObject({ code: "TABLE_CLOSED" });
    await expect(log.table("users")).rejects.toMatchObject({ code: "LOG_CLOSED" });
  });
});
