/** Storage that fails by plan: exactly the call that was named, in the way that was named, and no other. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage, STORAGE_CALLS, type StorageCall } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

/** Makes every call there is once; answers which failed, with what. */
async function tryEverything(faulty: ReturnType<typeof faultyStorage>): Promise<Partial<Record<StorageCall, string>>> {
  const failures: Partial<Record<StorageCall, string>> = {};
  const attempt = async (call: StorageCall, make: () => unknown): Promise<void> => {
    try {
      await make();
    } catch (error) {
      failures[call] = (error as { code: string }).code;
    }
  };
  await faulty.createDirectory("made").catch(() => {});
  const file = await memoryFile(faulty);
  const acts: Record<StorageCall, () => unknown> = {
    open: () => faulty.open("b", { create: "if-missing" }),
    list: () => faulty.list(""),
    createDirectory: () => faulty.createDirectory("d"),
    renameDirectory: () => faulty.renameDirectory("d", "e"),
    removeDirectory: () => faulty.removeDirectory("e"),
    replace: () => faulty.replace("b", "c"),
    remove: () => faulty.remove("c"),
    syncDirectory: () => faulty.syncDirectory(""),
    lock: async () => (await faulty.lock(HOLDER, { mechanism: "auto", allowNetworkFileSystem: false })).release(),
    readAt: () => file.readAt(new Uint8Array(1), 0),
    writeAt: () => file.writeAt(bytes, 0),
    truncate: () => file.truncate(4),
    byteLength: () => file.byteLength(),
    modifiedAt: () => file.modifiedAt(),
    sync: () => file.sync(),
    readAhead: () => file.readAhead(0, 1),
    closeFile: () => file.close(),
  };
  for (const [call, act] of Object.entries(acts)) await attempt(call as StorageCall, act);
  return failures;
}

const memoryFile = (faulty: ReturnType<typeof faultyStorage>) => faulty.open("a", { create: "if-missing" });

describe("a planned fault", () => {
  it("fails the call it names, and what depends on it alone", async () => {
    const knockOn: Partial<Record<StorageCall, readonly StorageCall[]>> = {
      createDirectory: ["renameDirectory", "removeDirectory"],
      renameDirectory: ["removeDirectory"],
      open: ["replace", "remove"],
      replace: ["remove"],
    };
    for (const call of STORAGE_CALLS) {
      const faulty = faultyStorage(memory());
      // The first `open` and `createDirectory` only prepare.
      faulty.fail({ call, errno: "EIO", nth: call === "open" || call === "createDirectory" ? 2 : 1 });
      const failures = await tryEverything(faulty);
      expect(failures[call], call).toBe("EIO");
      for (const other of Object.keys(failures))
        if (other !== call) expect(knockOn[call], `${call} took ${other} with it`).toContain(other);
    }
  });

  it("hits the n-th call for as many times as it says, of the files that match", async () => {
    const faulty = faultyStorage(memory(), { faults: [{ call: "writeAt", name: /\.log$/, nth: 3, times: 2, errno: "ENOSPC" }] });
    const [log, index] = [await faulty.open("a.log", { create: "new" }), await faulty.open("a.index", { create: "new" })];
    const story: string[] = [];
    for (let at = 0; at < 6; at++) {
      for (const [name, file] of [
        ["log", log],
        ["index", index],
      ] as const) {
        try {
          file.writeAt(bytes, at * 8);
        } catch {
          story.push(`${name} ${at}`);
        }
      }
    }
    expect(story).toEqual(["log 2", "log 3"]);
    expect(faulty.count("writeAt")).toBe(12);
    expect(faulty.count()).toBe(14);
  });

  it("stays for ever if told so, until it is mended", async () => {
    const faulty = faultyStorage(memory(), { faults: [{ errno: "EIO", times: Number.POSITIVE_INFINITY }] });
    for (let turn = 0; turn < 10; turn++) await expect(faulty.list("")).rejects.toThrow("EIO");
    faulty.mend();
    expect(await faulty.list("")).toEqual([]);
  });

  it("leaves the work undone, or done if told so", async () => {
    const faulty = faultyStorage(memory());
    const file = await faulty.open("a", { create: "new" });
    faulty.fail({ call: "writeAt", errno: "EIO" });
    expect(() => file.writeAt(bytes, 0)).toThrow("EIO");
    expect(file.byteLength()).toBe(0);
    faulty.fail({ call: "writeAt", errno: "EIO", afterEffect: true });
    expect(() => file.writeAt(bytes, 0)).toThrow("EIO");
    expect(file.byteLength()).toBe(8);
  });

  it("shortens reads and writes, alone or before it refuses", async () => {
    const faulty = faultyStorage(memory());
    const file = await faulty.open("a", { create: "new" });
    faulty.fail({ call: "writeAt", shortBy: 3 });
    expect(file.writeAt(bytes, 0)).toBe(5);
    faulty.fail({ call: "readAt", shortBy: 1 });
    expect(file.readAt(new Uint8Array(5), 0)).toBe(4);
    faulty.fail({ call: "writeAt", shortBy: 6, errno: "ENOSPC" });
    expect(() => file.writeAt(bytes, 5)).toThrow("ENOSPC");
    expect(file.byteLength()).toBe(7);
    faulty.fail({ call: "writeAt", shortBy: 100 });
    expect(file.writeAt(bytes, 0)).toBe(0);
    for (const atMost of [0, 1, 100]) {
      faulty.fail({ call: "writeAt", atMost });
      expect(file.writeAt(bytes, 0)).toBe(Math.min(atMost, 8));
    }
    faulty.fail({ call: "readAt", atMost: 1, shortBy: 7 });
    expect(file.readAt(new Uint8Array(7), 0)).toBe(0);
  });

  it("tells how often it was met, and where", async () => {
    const faulty = faultyStorage(memory());
    const names: string[] = [];
    const planned = faulty.fail({ call: "list", nth: 2, times: 2, errno: "EIO", onMeet: (name) => void names.push(name) });
    for (const directory of ["a", "b", "c", "d"]) await faulty.list(directory).catch(() => {});
    expect(planned).toMatchObject({ matchCount: 4, metCount: 2 });
    expect(names).toEqual(["b", "c"]);
  });

  it("leaves no file open that nobody was given, and counts those that are", async () => {
    const driver = memory();
    const inner = faultyStorage(driver);
    const faulty = faultyStorage(inner);
    const file = await faulty.open("a", { create: "new" });
    faulty.fail({ call: "open", errno: "EIO", afterEffect: true });
    await expect(faulty.open("b", { create: "new" })).rejects.toThrow("EIO");
    expect((await driver.list("")).map(({ name }) => name).sort()).toEqual(["a", "b"]);
    expect([faulty.openFileCount, inner.openFileCount]).toEqual([1, 1]);
    faulty.fail({ call: "closeFile", errno: "EIO" });
    await expect(file.close()).rejects.toThrow("EIO");
    await file.close();
    expect([faulty.openFileCount, inner.openFileCount]).toEqual([0, 0]);
  });

  it("leaves no lock held that nobody was given, and counts those that are", async () => {
    const inner = faultyStorage(memory());
    const faulty = faultyStorage(inner);
    const holder = { pid: 1, runtime: "test", version: "0", since: "", argv: [], hostname: "" };
    const take = () => faulty.lock(holder, { mechanism: "auto", allowNetworkFileSystem: false });
    faulty.fail({ call: "lock", errno: "EIO", afterEffect: true });
    await expect(take()).rejects.toThrow("EIO");
    expect([faulty.heldLockCount, inner.heldLockCount]).toEqual([0, 0]);
    const lock = await take();
    expect([faulty.heldLockCount, inner.heldLockCount, lock.stillHeld()]).toEqual([1, 1, true]);
    await lock.release();
    await lock.release();
    expect([faulty.heldLockCount, inner.heldLockCount]).toEqual([0, 0]);
  });

  it("stops the machine for good", async () => {
    const faulty = faultyStorage(memory());
    const file = await faulty.open("a", { create: "new" });
    faulty.fail({ call: "writeAt", nth: 2, halt: true });
    file.writeAt(bytes, 0);
    expect(() => file.writeAt(bytes, 8)).toThrow("ESHUTDOWN");
    expect(() => file.byteLength()).toThrow("ESHUTDOWN");
    await expect(faulty.list("")).rejects.toThrow("ESHUTDOWN");
    faulty.mend();
    await expect(faulty.list("")).rejects.toThrow("ESHUTDOWN");
  });

  it("that does nothing is a mistake, and said to be one", () => {
    expect(() => faultyStorage(memory(), { faults: [{ call: "sync" }] })).toThrow("does nothing");
  });
});

describe("latency", () => {
  it("holds asynchronous calls back by the clock that was given", async () => {
    const clock = new ManualClock();
    const faulty = faultyStorage(memory(), { clock, latencyMs: (call) => (call === "sync" ? 10_000 : 0) });
    const file = await faulty.open("a", { create: "new" });
    let done = false;
    const syncing = file.sync().then(() => {
      done = true;
    });
    await clock.advance(9_999);
    expect(done).toBe(false);
    file.writeAt(bytes, 0);
    await clock.advance(1);
    await syncing;
    expect(done).toBe(true);
  });
});

const HOLDER = { pid: 1, runtime: "test", version: "1", since: "", argv: [], hostname: "" };
