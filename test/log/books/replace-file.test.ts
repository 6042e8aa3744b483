import { describe, expect, it } from "vitest";
import { readWholeFile, replaceFile } from "../../../src/log/files/replace-file.ts";
import { memory } from "../../../src/storage/memory.ts";
import { type CrashStorage, crashStorage, faultyStorage } from "../../../src/testing/index.ts";
import { atEveryCrash, bytesOf, get, put, text } from "./support.ts";

const OLD = "old ".repeat(400);
const NEW = "new ".repeat(700);

describe("replacing a file", () => {
  it("leaves the old contents or the new at every crash, and the new ones once it has resolved", async () => {
    let least = "nothing";
    const looked = await atEveryCrash(
      async (storage) => {
        await storage.createDirectory("orders-0");
        await storage.syncDirectory("");
        await replaceFile(storage, "orders-0", "book", bytesOf(OLD));
        least = "old";
        await replaceFile(storage, "orders-0", "book", bytesOf(NEW));
        least = "new";
      },
      async (disk) => {
        const found = text(await readWholeFile(disk, "orders-0/book", 10_000));
        const state = found === "" ? "nothing" : found === OLD ? "old" : found === NEW ? "new" : "garbage";
        const legal = { nothing: ["nothing", "old"], old: ["old", "new"], new: ["new"] }[least];
        expect(legal).toContain(state);
      },
    );
    expect(looked).toBeGreaterThan(50);
  });

  it("works beside what an earlier crash left under the temporary name", async () => {
    const storage = memory();
    await put(storage, "book.tmp", bytesOf("x".repeat(5000)));
    await replaceFile(storage, "", "book", bytesOf("short"));
    expect(text(await get(storage, "book"))).toBe("short");
    expect(await get(storage, "book.tmp")).toBeNull();
  });

  // A file system without a journal may cut a renaming in half: one file under both names. The next replacement emptied what was called
  // `.tmp`, and with it the catalogue; a death at that moment left an odradek.json of no bytes, and a directory that nothing opened.
  it("touches no file that a halved renaming left under the temporary name as well", async () => {
    const storage = crashStorage();
    await replaceFile(storage, "", "book", bytesOf(OLD));
    const halved: CrashStorage[] = [];
    storage.watch((call) => {
      if (call !== "syncDirectory") return;
      for (const disk of storage.enumerateCrashes(200))
        if (disk.peek("book.tmp") !== null && text(disk.peek("book")) === NEW) halved.push(disk);
    });
    await replaceFile(storage, "", "book", bytesOf(NEW));
    expect(halved.length).toBeGreaterThan(0);
    for (const disk of halved) {
      const atWrite = faultyStorage(disk, { faults: [{ call: "writeAt", halt: true }] });
      await expect(replaceFile(atWrite, "", "book", bytesOf("newest"))).rejects.toMatchObject({ code: "ESHUTDOWN" });
      expect(text(disk.peek("book"))).toBe(NEW);
      const next = disk.crash(undefined, { kind: "process" });
      await replaceFile(next, "", "book", bytesOf("newest"));
      expect(text(await get(next, "book"))).toBe("newest");
      expect(await get(next, "book.tmp")).toBeNull();
    }
  });

  it("rejects with the storage's own error when a flush fails, and the old contents stand", async () => {
    const storage = crashStorage();
    await replaceFile(storage, "", "book", bytesOf(OLD));
    storage.failSyncs(/book\.tmp/, "ext4");
    await expect(replaceFile(storage, "", "book", bytesOf(NEW))).rejects.toMatchObject({ code: "EIO" });
    for (const disk of storage.enumerateCrashes(200)) expect(text(await get(disk, "book"))).toBe(OLD);
    await replaceFile(storage, "", "book", bytesOf(NEW));
    expect(text(await get(storage, "book"))).toBe(NEW);
  });

  it("keeps the old contents whichever call fails before the renaming, and leaves no temporary file to eat the room", async () => {
    for (const call of ["open", "writeAt", "sync", "replace"] as const) {
      const inner = memory();
      await replaceFile(inner, "", "book", bytesOf(OLD));
      const storage = faultyStorage(inner);
      storage.fail({ call, errno: "ENOSPC" });
      await expect(replaceFile(storage, "", "book", bytesOf(NEW)), call).rejects.toMatchObject({ code: "ENOSPC" });
      expect(text(await get(inner, "book"))).toBe(OLD);
      expect((await inner.list("")).map((entry) => entry.name)).toEqual(["book"]);
    }
  });

  it("refuses to read a file longer than its kind can be", async () => {
    const storage = memory();
    await put(storage, "book", bytesOf(OLD));
    await expect(readWholeFile(storage, "book", 1599)).rejects.toMatchObject({ code: "BOOK_CORRUPT", file: "book" });
    expect((await readWholeFile(storage, "book", 1600))?.byteLength).toBe(1600);
    expect(await readWholeFile(storage, "none", 10)).toBeNull();
  });
});
