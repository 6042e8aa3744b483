/**
 * What the drivers of browsers and Durable Objects ask of their platform, as system-calls.test.ts does for the real file system: a page
 * that is closed keeps what was written, so that nothing but a loss of power shows whether anybody asked.
 */
import { describe, expect, it } from "vitest";
import { durableObject } from "../../../src/storage/durable-object.ts";
import { opfs } from "../../../src/storage/opfs.ts";
import { OpfsBook } from "../../../src/storage/opfs-book.ts";
import { FakeDirectory, FakeFile } from "../../storage/fake-opfs.ts";

/** The power goes: of every file what was flushed is left. */
function losePower(directory: FakeDirectory): void {
  for (const entry of directory.entries.values()) {
    if (entry instanceof FakeDirectory) losePower(entry);
    else {
      entry.bytes = entry.flushed.slice();
      entry.isOpen = false;
    }
  }
}

describe("in a browser", () => {
  it("bytes and names that were flushed are there after a loss of power, and nothing less", async () => {
    const directory = new FakeDirectory();
    const storage = opfs("log", { directory });
    await storage.createDirectory("orders-0");
    const file = await storage.open("orders-0/x.log", { create: "new" });
    file.writeAt(new Uint8Array([1, 2, 3]), 0);
    await file.sync();
    await storage.syncDirectory("orders-0");
    losePower(directory);
    const next = opfs("log", { directory });
    const again = await next.open("orders-0/x.log", { create: "no" });
    const bytes = new Uint8Array(3);
    expect(again.readAt(bytes, 0)).toBe(3);
    expect([...bytes]).toEqual([1, 2, 3]);
    await again.close();
    await next.close();
  });

  it("a book of names is durable before anything is built on it, and an older one is gone", async () => {
    const room = { left: 1 << 30 };
    const files = [new FakeFile("book.0", room), new FakeFile("book.1", room)] as const;
    const open = async (): Promise<OpfsBook> =>
      new OpfsBook("log", [await files[0].createSyncAccessHandle(), await files[1].createSyncAccessHandle()], 1);
    const told = (book: OpfsBook): string => JSON.stringify([...book.names.changes()].map(String).sort());
    const book = await open();
    expect(files[0].flushed.length).toBeGreaterThan(0);
    book.write(["mkdir", "orders-0"]);
    // So many changes that it is written anew, into the other file.
    for (let index = 0; index < 2100; index += 1) book.write(["name", "orders-0/a", index + 1]);
    const last = told(book);
    book.close();
    const [current, other] = files[0].bytes.length > 0 ? files : [files[1], files[0]];
    expect(current.flushed.length).toBeGreaterThan(0);
    expect(other.flushed.length).toBe(0);
    // Written and not flushed, and the tab dies: the next one reads it, builds on it, and the power goes.
    const second = await open();
    expect(told(second)).toBe(last);
    second.close();
    for (const file of files) file.bytes = file.flushed.slice();
    const next = await open();
    expect(told(next)).toBe(last);
    next.close();
  });
});

describe("in a Durable Object", () => {
  it("a flush of a file or of a directory waits for the object's storage", async () => {
    let syncs = 0;
    const storage = {
      sql: { exec: (statement: string) => ({ toArray: () => (/^(INSERT|SELECT last)/i.test(statement) ? [{ number: 1 }] : []) }) },
      transactionSync: <Result>(body: () => Result): Result => body(),
      sync: async () => {
        syncs += 1;
      },
    };
    const driver = durableObject({ storage });
    const file = await driver.open("x.log", { create: "new" });
    await file.sync();
    expect(syncs).toBe(1);
    await driver.syncDirectory("");
    expect(syncs).toBe(2);
  });
});
