/** The driver for Durable Objects, on an imitation of their storage; the real one is in test/runtimes. */
import { describe, expect, it } from "vitest";
import { durableObject } from "../../src/storage/durable-object.ts";
import { RANGE_BYTES_MAX } from "../../src/storage/durable-object-rows.ts";
import { storageContract } from "../../src/testing/storage-contract.ts";
import { FakeDurableStorage } from "./fake-durable-storage.ts";

storageContract("durable object", async () => ({ driver: durableObject({ storage: new FakeDurableStorage() }) }), { describe, it, expect });

const rowLengths = (storage: FakeDurableStorage): number[] => storage.tables.ranges.map((row) => (row["bytes"] as ArrayBuffer).byteLength);

describe("rows of a Durable Object", () => {
  it("are the appends as they came, small ones together, none longer than a row may be", async () => {
    const storage = new FakeDurableStorage();
    const file = await durableObject({ storage }).open("a.log", { create: "new" });
    for (let i = 0; i < 8; i++) file.writeAt(new Uint8Array(1000), i * 1000);
    expect(rowLengths(storage)).toEqual([4000, 4000]);
    file.writeAt(new Uint8Array(RANGE_BYTES_MAX * 2 + 1), 8000);
    expect(rowLengths(storage)).toEqual([4000, 4000, RANGE_BYTES_MAX, RANGE_BYTES_MAX, 1]);
    await file.close();
  });

  it("take a small change in place, and one across several whole", async () => {
    const storage = new FakeDurableStorage();
    const file = await durableObject({ storage }).open("a.log", { create: "new" });
    for (let i = 0; i < 3; i++) file.writeAt(new Uint8Array(5000).fill(i), i * 5000);
    file.writeAt(new Uint8Array(10).fill(9), 6000);
    expect(rowLengths(storage)).toHaveLength(3);
    file.writeAt(new Uint8Array(7000).fill(8), 4000);
    const bytes = new Uint8Array(15_000);
    expect(file.readAt(bytes, 0)).toBe(15_000);
    expect([bytes[3999], bytes[4000], bytes[10_999], bytes[11_000]]).toEqual([0, 8, 8, 2]);
    await file.close();
  });

  it("stand all or not at all where the object is full, and the file is as long as before", async () => {
    const storage = new FakeDurableStorage();
    const file = await durableObject({ storage }).open("a.log", { create: "new" });
    file.writeAt(new Uint8Array(100).fill(1), 0);
    storage.roomByteLength = RANGE_BYTES_MAX + 10;
    expect(() => file.writeAt(new Uint8Array(RANGE_BYTES_MAX * 2), 100)).toThrow(
      expect.objectContaining({ code: "ENOSPC", message: expect.stringMatching(/10 GB an object/) as string }),
    );
    expect(file.byteLength()).toBe(100);
    expect(storage.tables.ranges).toHaveLength(1);
    storage.sql.exec = () => {
      throw new Error("something else");
    };
    expect(() => file.readAt(new Uint8Array(1), 0)).toThrow(expect.objectContaining({ code: "EIO" }));
    expect(() => durableObject({ storage })).not.toThrow();
    await expect(durableObject({ storage }).list("")).rejects.toMatchObject({ code: "EIO" });
  });

  it("of a file that was removed while it was open go when it is closed, or with the next object", async () => {
    const storage = new FakeDurableStorage();
    const driver = durableObject({ storage });
    const files = [await driver.open("a.log", { create: "new" }), await driver.open("b.log", { create: "new" })];
    for (const file of files) file.writeAt(new Uint8Array(100), 0);
    await driver.remove("a.log");
    await driver.remove("b.log");
    expect(files[0]?.byteLength()).toBe(100);
    await files[0]?.close();
    expect(rowLengths(storage)).toEqual([100]);
    // The object died here.
    expect(await durableObject({ storage }).list("")).toEqual([]);
    expect(storage.tables).toEqual({ files: [], directories: [], ranges: [] });
  });

  it("are durable when the object's storage says so, for files and for names", async () => {
    const storage = new FakeDurableStorage();
    const driver = durableObject({ storage });
    const file = await driver.open("a.log", { create: "new" });
    await file.sync();
    await driver.syncDirectory("");
    expect(storage.syncCount).toBe(2);
    await file.close();
  });

  it("need an object with SQLite", () => {
    for (const wrong of [undefined, {}, { storage: {} }, { storage: { sql: {} } }]) {
      expect(() => durableObject(wrong as never)).toThrow(/new_sqlite_classes/);
    }
  });
});
