/** The driver for browsers, on an imitation of their file system; the real one is in test/runtimes. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { opfs } from "../../src/storage/opfs.ts";
import { OpfsBook } from "../../src/storage/opfs-book.ts";
import type { NameChange } from "../../src/storage/opfs-book-line.ts";
import type { OpfsNames } from "../../src/storage/opfs-names.ts";
import { storageContract } from "../../src/testing/storage-contract.ts";
import { FakeDirectory, FakeFile, fakeLocks } from "./fake-opfs.ts";

beforeAll(() => {
  vi.stubGlobal("navigator", { locks: fakeLocks() });
});
afterAll(() => {
  vi.unstubAllGlobals();
});

storageContract("opfs", async () => ({ driver: opfs("log", { directory: new FakeDirectory() }) }), { describe, it, expect });

const HOLDER = { pid: 0, runtime: "browser", version: "", since: "2026-11-23T00:00:00.000Z", argv: [], hostname: "" };
const LOCK = { mechanism: "auto", allowNetworkFileSystem: false } as const;

const NAMES = ["a", "b", "p-0/a", "p-0/b", "p-1/a"];
const change: fc.Arbitrary<NameChange> = fc.oneof(
  fc.tuple(fc.constant("name" as const), fc.constantFrom(...NAMES), fc.integer({ min: 1, max: 99 })),
  fc.tuple(fc.constantFrom("remove" as const), fc.constantFrom(...NAMES)),
  fc.tuple(fc.constantFrom("mkdir" as const, "rmdir" as const), fc.constantFrom("p-0", "p-1", "p-2")),
  fc.tuple(fc.constant("renameDirectory" as const), fc.constantFrom("p-0", "p-1"), fc.constantFrom("p-1", "p-2")),
  fc.constantFrom(["rename", "a", "b"] as const, ["rename", "p-0/a", "p-0/b"] as const),
);

async function books(files: readonly [FakeFile, FakeFile]): Promise<OpfsBook> {
  return new OpfsBook("log", [await files[0].createSyncAccessHandle(), await files[1].createSyncAccessHandle()], 1);
}

function twoFiles(): [FakeFile, FakeFile] {
  const room = { left: 1 << 30 };
  return [new FakeFile("book.0", room), new FakeFile("book.1", room)];
}

const told = (names: OpfsNames): string => JSON.stringify([...names.changes()].map(String).sort());

describe("the book of names", () => {
  it("tells after a death at any byte what it told at some moment since its last flush", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(change, fc.boolean()), { maxLength: 60 }), fc.nat(), async (history, cutSeed) => {
        const files = twoFiles();
        const book = await books(files);
        let states = [told(book.names)];
        for (const [each, flush] of history) {
          try {
            book.write(each);
          } catch {
            continue;
          }
          states.push(told(book.names));
          if (!flush) continue;
          book.flush();
          states = states.slice(-1);
        }
        book.close();
        // Of what was not flushed, any beginning may stand.
        for (const file of files) {
          const unflushed = file.bytes.length - file.flushed.length;
          file.bytes = file.bytes.slice(0, file.flushed.length + (unflushed > 0 ? cutSeed % (unflushed + 1) : 0));
        }
        const again = await books(files);
        expect(states).toContain(told(again.names));
        again.close();
      }),
    );
  });

  it("is refused where a byte of what was flushed is another, and never tells less", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 20 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (history, at, flip) => {
          const files = twoFiles();
          const book = await books(files);
          for (const each of history) {
            try {
              book.write(each);
            } catch {}
            book.flush();
          }
          // The last line says that those before it are durable; that it is durable itself, the next one says.
          book.write(["mkdir", "last"]);
          const before = told(book.names);
          const end = book.names.hasDirectory("last") ? files[0].flushed.length : 0;
          book.close();
          const place = at % Math.max(1, end);
          files[0].bytes[place] = (files[0].bytes[place] as number) ^ flip;
          let after: string | null = null;
          try {
            const again = await books(files);
            after = told(again.names);
            again.close();
          } catch (error) {
            expect(error).toMatchObject({ code: "BOOK_CORRUPT" });
          }
          if (after !== null) expect(after).toBe(before);
        },
      ),
    );
  });

  // A newline that became another byte made two lines one bad one. It was the last, so it was cut as torn, and with it a name that had been
  // flushed. Now a mark behind each flush says how far the book is durable, and a bad line is searched for the end of another.
  it("is refused for any bit of any flushed byte, that of a newline too", async () => {
    const files = twoFiles();
    const book = await books(files);
    book.write(["mkdir", "p-0"]);
    book.flush();
    book.close();
    const { bytes, flushed } = files[0];
    for (let bit = 0; bit < flushed.length * 8; bit++) {
      const again = twoFiles();
      again[0].bytes = bytes.slice();
      again[0].bytes[bit >> 3] = (again[0].bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const told = await books(again).then(
        ({ names }) => names.hasDirectory("p-0"),
        (error: unknown) => (error as { readonly code: unknown }).code,
      );
      expect([true, "BOOK_CORRUPT"]).toContain(told);
    }
  });

  it("is written anew when it is full of what was, and tells the same, also where that is cut short", async () => {
    const files = twoFiles();
    const book = await books(files);
    book.write(["mkdir", "p-0"]);
    for (let i = 0; i < 3000; i++) {
      book.write(["name", "p-0/a", 2 * i + 1]);
      book.write(["name", "p-0/a.tmp", 2 * i + 2]);
      book.write(["rename", "p-0/a.tmp", "p-0/a"]);
    }
    expect(Math.max(files[0].bytes.length, files[1].bytes.length)).toBeLessThan(200_000);
    const before = told(book.names);
    book.flush();
    book.close();
    // Half of a newer book, as one leaves who dies while it writes it.
    const [current, other] = files[0].bytes.length > 0 ? files : [files[1], files[0]];
    other.bytes = current.bytes.slice(0, 20);
    const again = await books(files);
    expect(told(again.names)).toBe(before);
    again.close();
  });

  it("is never two: a damaged one is refused, not answered out of the older", async () => {
    const files = twoFiles();
    const book = await books(files);
    const other = (): FakeFile => (files[0].bytes.length === 0 ? files[0] : files[1]);
    let turnCount = 0;
    for (let i = 1, before = other(); turnCount < 2 && i < 10_000; i++) {
      book.write(["name", "a", i]);
      // Whenever it was written anew, the new one is durable as it stands, and the old one is empty, durably.
      if (other() === before) continue;
      before = other();
      turnCount++;
      expect([before.bytes.length, before.flushed.length]).toEqual([0, 0]);
      const now = before === files[0] ? files[1] : files[0];
      expect(now.flushed.length).toBeGreaterThan(0);
    }
    expect(turnCount).toBe(2);
    book.flush();
    book.close();
    const current = files[0].bytes.length > 0 ? files[0] : files[1];
    current.bytes[12] = (current.bytes[12] as number) ^ 1;
    await expect(books(files)).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
  });

  it("leaves nothing of a line that did not find room, so that the next one begins where it began", async () => {
    const files = twoFiles();
    const handles = [await files[0].createSyncAccessHandle(), await files[1].createSyncAccessHandle()] as const;
    const book = new OpfsBook("log", handles, 1);
    book.write(["mkdir", "p-0"]);
    const { write } = handles[0];
    const { length } = files[0].bytes;
    handles[0].write = (bytes, options) => write.call(handles[0], bytes.subarray(0, 30), options);
    expect(() => book.write(["name", "p-0/with a long name", 1])).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    handles[0].write = write;
    expect(files[0].bytes.length).toBe(length);
    book.write(["mkdir", "q"]);
    book.flush();
    const before = told(book.names);
    book.close();
    const again = await books(files);
    expect(told(again.names)).toBe(before);
    again.close();
  });
});

describe("opfs", () => {
  const filled = async (): Promise<FakeDirectory> => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(new Uint8Array(100).fill(7), 0);
    await file.sync();
    await driver.syncDirectory("");
    await file.close();
    await driver.close();
    return directory;
  };

  it("finds what it kept, and clears away what has no name", async () => {
    const directory = await filled();
    const place = directory.entries.get("log") as FakeDirectory;
    place.entries.set("77", new FakeFile("77", directory.room));
    const driver = opfs("log", { directory });
    const file = await driver.open("a.log", { create: "no" });
    expect(file.byteLength()).toBe(100);
    await vi.waitFor(() => expect([...place.entries.keys()].sort()).toEqual(["1", "book.0", "book.1"]));
    const next = await driver.open("b.log", { create: "new" });
    expect(place.entries.has("78")).toBe(true);
    await file.close();
    await next.close();
    await driver.close();
  });

  it("keeps the bytes of what was replaced until the new name is durable", async () => {
    const directory = await filled();
    const place = directory.entries.get("log") as FakeDirectory;
    const driver = opfs("log", { directory });
    await (await driver.open("b.tmp", { create: "new" })).close();
    await driver.replace("b.tmp", "a.log");
    expect(place.entries.has("1")).toBe(true);
    await driver.syncDirectory("");
    await vi.waitFor(() => expect(place.entries.has("1")).toBe(false));
    await driver.close();
  });

  it("says that a log which must be there was evicted, and does not begin an empty one", async () => {
    const gone = opfs("log", { directory: new FakeDirectory(), create: false });
    await expect(gone.open("odradek.json", { create: "no" })).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringMatching(/evicted.*persist\(\).*create: true/) as string,
    });
    expect(await gone.list("").catch(() => "refused")).toBe("refused");
    const emptied = await filled();
    (emptied.entries.get("log") as FakeDirectory).entries.clear();
    await expect(opfs("log", { directory: emptied, create: false }).list("")).rejects.toThrow(/evicted/);
  });

  it("refuses files without a book, and a book all of whose files are gone", async () => {
    const bookless = await filled();
    for (const name of ["book.0", "book.1"]) (bookless.entries.get("log") as FakeDirectory).entries.delete(name);
    await expect(opfs("log", { directory: bookless }).list("")).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
    const fileless = await filled();
    (fileless.entries.get("log") as FakeDirectory).entries.delete("1");
    await expect(opfs("log", { directory: fileless }).list("")).rejects.toThrow(/evicted/);
  });

  it("says of one file that is gone that it is gone, not that it never was", async () => {
    const directory = await filled();
    const driver = opfs("log", { directory });
    await (await driver.open("b.log", { create: "new" })).close();
    (directory.entries.get("log") as FakeDirectory).entries.delete("1");
    await driver.close();
    const again = opfs("log", { directory });
    const refused = await again.open("a.log", { create: "no" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "EIO", message: expect.stringContaining("evicted") as string });
    await again.close();
  });

  it("tells a full quota as ENOSPC, and that the site's data was cleared under an open file", async () => {
    const directory = await filled();
    const driver = opfs("log", { directory });
    const file = await driver.open("a.log", { create: "no" });
    directory.room.left = 10;
    expect(() => file.writeAt(new Uint8Array(50), 100)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    await expect(driver.createDirectory("x".repeat(50))).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await driver.list("")).toEqual([{ name: "a.log", kind: "file" }]);
    directory.room.left = 1000;
    expect(file.writeAt(new Uint8Array(50), 100)).toBe(50);
    ((directory.entries.get("log") as FakeDirectory).entries.get("1") as FakeFile).isGone = true;
    expect(() => file.readAt(new Uint8Array(1), 0)).toThrow(/cleared or evicted/);
    await expect(file.sync()).rejects.toThrow(/cleared or evicted/);
    await file.close();
    await driver.close();
  });

  it("names the holder of the lock, and what to do where there are no locks, no file system, no synchronous handles", async () => {
    const locks = fakeLocks();
    vi.stubGlobal("navigator", { locks });
    // Another worker has another global scope, and so a registry of its own.
    const other = locks.request("odradek:log", {}, () =>
      locks.request(`odradek:log ${JSON.stringify(HOLDER)}`, {}, () => new Promise(() => {})),
    );
    const refused = await opfs("log")
      .lock(HOLDER, LOCK)
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "DIRECTORY_IN_USE", holder: { since: HOLDER.since } });
    void other;
    vi.stubGlobal("navigator", {});
    await expect(opfs("log").lock(HOLDER, LOCK)).rejects.toMatchObject({ code: "LOCK_UNAVAILABLE" });
    await expect(opfs("log").list("")).rejects.toThrow(/memory\(\)/);
    vi.stubGlobal("navigator", {
      storage: { getDirectory: async () => Promise.reject(Object.assign(new Error("no"), { name: "SecurityError" })) },
    });
    await expect(opfs("log").list("")).rejects.toThrow(/private windows/);
    vi.stubGlobal("navigator", { locks: fakeLocks() });
    const directory = new FakeDirectory();
    const place = await directory.getDirectoryHandle("log", { create: true });
    const file = await place.getFileHandle("book.0", { create: true });
    Object.defineProperty(file, "createSyncAccessHandle", { value: undefined });
    await expect(opfs("log", { directory }).list("")).rejects.toThrow(/dedicated Worker/);
  });

  it("takes a name that is one", () => {
    for (const name of ["", ".", "..", "a/b", ".a", "x".repeat(101), 7 as never]) expect(() => opfs(name)).toThrow(/opfs\(name\)/);
  });
});
