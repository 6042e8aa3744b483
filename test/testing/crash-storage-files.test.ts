/** The simulated disk's open files: numbers used again, and flushes that fail as file systems fail them. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

const SECTOR = 16;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

async function disk(): Promise<CrashStorage> {
  return crashStorage({ sectorByteLength: SECTOR });
}

async function write(driver: StorageDriver, name: string, text: string): Promise<void> {
  const file = await driver.open(name, { create: "if-missing" });
  file.writeAt(bytesOf(text), 0);
  await file.sync();
  await file.close();
}

/** Every text that `name` may hold after a crash now. */
function outcomes(storage: CrashStorage, name: string): Set<string | null> {
  expect(storage.countCrashes(10_000)).toBeLessThanOrEqual(10_000);
  return new Set([...storage.enumerateCrashes(10_000)].map((after) => textOf(after.peek(name))));
}

describe("numbers of closed files", () => {
  it("are used again at once, so that a late write lands in another file", async () => {
    const storage = await disk();
    const first = await storage.open("a", { create: "new" });
    await first.close();
    expect(() => first.writeAt(bytesOf("lost"), 0)).toThrow("EBADF");
    const second = await storage.open("b", { create: "new" });
    first.writeAt(bytesOf("astray"), 0);
    expect(textOf(storage.peek("b"))).toBe("astray");
    expect(storage.peek("a")?.length).toBe(0);
    await second.close();
  });

  it("fool no one behind the fence", async () => {
    const storage = await disk();
    const driver = fenced(storage);
    const first = await driver.open("a", { create: "new" });
    const closing = first.close();
    const second = await driver.open("b", { create: "new" });
    expect(() => first.writeAt(bytesOf("astray"), 0)).toThrow("closed");
    await closing;
    await expect(first.sync()).rejects.toThrow("closed");
    expect(storage.peek("b")?.length).toBe(0);
    await second.close();
  });

  it("make a flush under a close another file's, except behind the fence", async () => {
    const latency = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn++) await null;
    };
    for (const guarded of [false, true]) {
      const storage = crashStorage({ sectorByteLength: SECTOR, latency });
      const driver = guarded ? fenced(storage) : storage;
      const first = await driver.open("a", { create: "new" });
      await driver.syncDirectory("");
      first.writeAt(bytesOf("precious"), 0);
      const syncing = first.sync().catch(() => {});
      await first.close();
      await syncing;
      const after = storage.crash(new SeededRandom(0), { survival: "nothing" });
      expect(textOf(after.peek("a"))).toBe(guarded ? "precious" : "");
    }
  });
});

describe("a flush that fails", () => {
  const prepared = async (): Promise<CrashStorage> => {
    const storage = await disk();
    await write(storage, "a", "old old old old ");
    await storage.syncDirectory("");
    return storage;
  };

  it("as on ext4 shows the new bytes, succeeds the next time, and never writes them", async () => {
    const storage = await prepared();
    const handle = await storage.open("a", { create: "no" });
    handle.writeAt(bytesOf("new new new new "), 0);
    storage.failSyncs(/^a$/, "ext4");
    await expect(handle.sync()).rejects.toThrow("EIO");
    await handle.sync();
    expect(textOf(storage.peek("a"))).toBe("new new new new ");
    expect([...outcomes(storage, "a")]).toEqual(["old old old old "]);
  });

  it("as on ext4 without ordered data tells it one flush late", async () => {
    const storage = await prepared();
    const handle = await storage.open("a", { create: "no" });
    handle.writeAt(bytesOf("new new new new "), 0);
    storage.failSyncs(/^a$/, "ext4-late");
    await handle.sync();
    await expect(handle.sync()).rejects.toThrow("EIO");
    await handle.sync();
    expect([...outcomes(storage, "a")]).toEqual(["old old old old "]);
  });

  it("as on XFS shuts the file system down for changes", async () => {
    const storage = await prepared();
    const handle = await storage.open("a", { create: "no" });
    handle.writeAt(bytesOf("new new new new "), 0);
    storage.failSyncs(/^a$/, "xfs");
    await expect(handle.sync()).rejects.toThrow("EIO");
    await expect(handle.sync()).rejects.toThrow("EIO");
    expect(() => handle.writeAt(bytesOf("more"), 0)).toThrow("EIO");
    await expect(storage.remove("a")).rejects.toThrow("EIO");
    expect(textOf(storage.peek("a"))).toBe("new new new new ");
  });

  it("as on Btrfs shows the old bytes again", async () => {
    const storage = await prepared();
    const handle = await storage.open("a", { create: "no" });
    handle.writeAt(bytesOf("new new new new and longer"), 0);
    storage.failSyncs(/^a$/, "btrfs");
    await expect(handle.sync()).rejects.toThrow("EIO");
    expect(textOf(storage.peek("a"))).toBe("old old old old ");
  });

  it("of a directory leaves the names where they were, and refuses every change from then on", async () => {
    for (const failure of ["ext4", "btrfs", "ext4-late", "xfs"] as const) {
      const storage = await prepared();
      await storage.replace("a", "b");
      storage.failSyncs(/^\/$/, failure);
      await expect(storage.syncDirectory("")).rejects.toThrow("EIO");
      await expect(storage.syncDirectory("")).rejects.toThrow("EIO");
      await expect(storage.remove("b")).rejects.toThrow("EIO");
      expect(textOf(storage.peek("b"))).toBe("old old old old ");
      expect([...outcomes(storage, "b")]).toEqual([null]);
    }
  });
});
