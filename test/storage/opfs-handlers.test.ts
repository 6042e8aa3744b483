/** What the driver for browsers does when the browser refuses one of its calls: told as what it is, and nothing kept open that nobody owns. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { opfs } from "../../src/storage/opfs.ts";
import { noSyncHandles, webError } from "../../src/storage/opfs-errors.ts";
import { OpfsSlots } from "../../src/storage/opfs-slots.ts";
import type { WebLocks, WebSyncHandle } from "../../src/storage/opfs-web.ts";
import { FakeDirectory, FakeFile, fakeLocks } from "./fake-opfs.ts";

const HOLDER = { pid: 0, runtime: "browser", version: "", since: "2026-11-23T00:00:00.000Z", argv: [], hostname: "" };
const LOCK = { mechanism: "auto", allowNetworkFileSystem: false } as const;

/** The handles that were given last, by the name of the file. */
const handles = new Map<string, WebSyncHandle>();
const give = FakeFile.prototype.createSyncAccessHandle;

beforeEach(() => {
  vi.stubGlobal("navigator", { locks: fakeLocks() });
  vi.spyOn(FakeFile.prototype, "createSyncAccessHandle").mockImplementation(async function (this: FakeFile) {
    const handle = await give.call(this);
    handles.set(this.name, handle);
    return handle;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  handles.clear();
});

/** That handle refuses the call once; a call that was let through before it throws has had its effect. */
function refuse(file: string, call: keyof WebSyncHandle, error: unknown): void {
  vi.spyOn(handles.get(file) as WebSyncHandle, call).mockImplementationOnce(() => {
    throw error;
  });
}

const refusal = (name: string): Error => new DOMException(`the browser says ${name}`, name);
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );
const placeOf = (directory: FakeDirectory): FakeDirectory => directory.entries.get("log") as FakeDirectory;
const openFiles = (directory: FakeDirectory): string[] =>
  [...placeOf(directory).entries.values()].filter((entry) => entry instanceof FakeFile && entry.isOpen).map(({ name }) => name);

describe("a file of an origin", () => {
  it("tells each refusal with an errno, whichever call meets it", async () => {
    const driver = opfs("log", { directory: new FakeDirectory() });
    const file = await driver.open("a.log", { create: "new" });
    const calls: readonly (readonly [keyof WebSyncHandle, () => unknown])[] = [
      ["read", () => file.readAt(new Uint8Array(1), 0)],
      ["write", () => file.writeAt(new Uint8Array(1), 0)],
      ["truncate", () => file.truncate(0)],
      ["getSize", () => file.byteLength()],
      ["flush", () => file.sync()],
      ["close", () => file.close()],
    ];
    for (const [call, run] of calls) {
      refuse("1", call, refusal("InvalidStateError"));
      const error = await caught((async () => run())());
      expect(error, call).toMatchObject({ code: "EIO", message: expect.stringContaining("cleared or evicted") as string });
    }
    await driver.close();
  });

  it("tells what has no errno as it came, and what has no advice in the browser's words", () => {
    const type = new TypeError("not a buffer");
    expect(webError(type, "readAt", "a")).toBe(type);
    expect(webError("thrown text", "readAt", "a").message).toBe("thrown text");
    expect(webError(refusal("SecurityError"), "open", "a")).toMatchObject({
      code: "EACCES",
      message: expect.stringContaining("the browser says SecurityError") as string,
    });
  });

  it("is gone when it was removed while open, its name is durably gone, and the last one closes it", async () => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    const [first, second] = [await driver.open("a.log", { create: "new" }), await driver.open("a.log", { create: "no" })];
    await driver.remove("a.log");
    await driver.syncDirectory("");
    await first.close();
    expect(placeOf(directory).entries.has("1")).toBe(true);
    expect(second.writeAt(new Uint8Array(3), 0)).toBe(3);
    await second.close();
    await vi.waitFor(() => expect(placeOf(directory).entries.has("1")).toBe(false));
    await driver.close();
  });

  it("that the browser does not remove costs room alone, and goes with the next one who opens the log", async () => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    await (await driver.open("a.log", { create: "new" })).close();
    await (await driver.open("b.log", { create: "new" })).close();
    const place = placeOf(directory);
    const remove = vi.spyOn(place, "removeEntry").mockRejectedValueOnce(refusal("NoModificationAllowedError"));
    await driver.remove("a.log");
    await driver.syncDirectory("");
    await vi.waitFor(() => expect(remove).toHaveBeenCalled());
    await driver.close();
    expect(place.entries.has("1")).toBe(true);
    const next = opfs("log", { directory });
    expect(await next.list("")).toEqual([{ name: "b.log", kind: "file" }]);
    await vi.waitFor(() => expect(place.entries.has("1")).toBe(false));
    await next.close();
  });

  it("has one handle for all who ask at once, also for a name that was new to both", async () => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    const [first, second] = await Promise.all([
      driver.open("a.log", { create: "if-missing" }),
      driver.open("a.log", { create: "if-missing" }),
    ]);
    first.writeAt(new Uint8Array(7), 0);
    expect(second.byteLength()).toBe(7);
    expect([...placeOf(directory).entries.keys()].sort()).toEqual(["1", "book.0", "book.1"]);
    await first.close();
    await second.close();
    await driver.close();
  });

  it("is opened anew for who asked a moment before the last one closed it", async () => {
    const slots = new OpfsSlots(new FakeDirectory(), 1);
    const slot = await slots.create("a.log");
    const asked = slots.open(1, "a.log");
    slots.release(slot);
    const again = await asked;
    again.handle.write(new Uint8Array(5), { at: 0 });
    expect(again.handle.getSize()).toBe(5);
    expect(again).not.toBe(slot);
    slots.release(again);
  });
});

describe("a log of an origin", () => {
  it("leaves no file behind for a name that found no room", async () => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    await driver.list("");
    directory.room.left = 20;
    expect(await caught(driver.open("a-name-as-long-as-this.log", { create: "new" }))).toMatchObject({ code: "ENOSPC" });
    expect(openFiles(directory)).toEqual(["book.0", "book.1"]);
    expect(await driver.list("")).toEqual([]);
    directory.room.left = 1000;
    await driver.createDirectory("p-0");
    await driver.syncDirectory("");
    await vi.waitFor(() => expect([...placeOf(directory).entries.keys()]).toEqual(["book.0", "book.1"]));
    await driver.close();
  });

  it("tells that its names could not be flushed", async () => {
    const driver = opfs("log", { directory: new FakeDirectory() });
    await driver.createDirectory("p-0");
    refuse("book.0", "flush", refusal("InvalidStateError"));
    expect(await caught(driver.syncDirectory(""))).toMatchObject({ code: "EIO", message: expect.stringContaining("evicted") as string });
    await driver.close();
  });

  it("waits two seconds for one who is letting go of a book, then says that another tab has it, and holds neither", async () => {
    vi.useFakeTimers();
    const directory = new FakeDirectory();
    const place = await directory.getDirectoryHandle("log", { create: true });
    const kept = await place.getFileHandle("book.1", { create: true });
    kept.isOpen = true;
    const driver = opfs("log", { directory });
    const refused = caught(driver.list(""));
    await vi.advanceTimersByTimeAsync(2100);
    expect(await refused).toMatchObject({ code: "DIRECTORY_IN_USE", message: expect.stringContaining("book.1") as string });
    expect(openFiles(directory)).toEqual(["book.1"]);
    const patient = driver.list("");
    await vi.advanceTimersByTimeAsync(500);
    kept.isOpen = false;
    await vi.advanceTimersByTimeAsync(20);
    expect(await patient).toEqual([]);
    await driver.close();
  });

  it("does not wait where the browser refuses for good", async () => {
    const directory = new FakeDirectory();
    vi.mocked(FakeFile.prototype.createSyncAccessHandle).mockRejectedValueOnce(refusal("UnknownError"));
    expect(await caught(opfs("log", { directory }).list(""))).toMatchObject({ name: "UnknownError" });
    const file = await opfs("log", { directory }).open("a.log", { create: "new" });
    await file.close();
  });

  it("says that the browser refuses its directory, in this browser's words where they are all there is", async () => {
    const directory = new FakeDirectory();
    const refuseOnce = (error: unknown): unknown => vi.spyOn(directory, "getDirectoryHandle").mockRejectedValueOnce(error);
    refuseOnce(refusal("NotAllowedError"));
    expect(await caught(opfs("log", { directory }).list(""))).toMatchObject({ code: "EACCES" });
    refuseOnce("no words at all");
    expect(await caught(opfs("log", { directory }).list(""))).toMatchObject({ message: "no words at all" });
  });

  it("says what is missing: https, or a worker", async () => {
    vi.stubGlobal("navigator", {});
    vi.stubGlobal("isSecureContext", false);
    expect(await caught(opfs("log").list(""))).toMatchObject({ message: expect.stringContaining("https") as string });
    expect(noSyncHandles({ document: {} }).message).toContain("a page has none");
    expect(noSyncHandles({}).message).toContain("this kind of worker");
  });

  it("closes at once while it is being read, whether that ends well or not, and when it was never used", async () => {
    const directory = new FakeDirectory();
    const unused = opfs("log", { directory });
    await unused.close();
    const driver = opfs("log", { directory });
    const listed = driver.list("");
    await driver.close();
    expect(await listed).toEqual([]);
    expect(openFiles(directory)).toEqual([]);
    vi.mocked(FakeFile.prototype.createSyncAccessHandle).mockRejectedValueOnce(refusal("SecurityError"));
    const refused = caught(driver.list(""));
    await driver.close();
    expect(await refused).toMatchObject({ name: "SecurityError" });
    // And is read again by who asks again.
    expect(await driver.list("")).toEqual([]);
    await driver.close();
  });

  it("knows its directories again, and a file that is asked for as one", async () => {
    const directory = new FakeDirectory();
    const driver = opfs("log", { directory });
    await driver.createDirectory("p-0");
    await (await driver.open("p-0/a.log", { create: "new" })).close();
    await (await driver.open("a.log", { create: "new" })).close();
    await driver.replace("a.log", "a.log");
    expect(await caught(driver.open("a.log/b", { create: "no" }))).toMatchObject({ code: "ENOTDIR" });
    await driver.close();
    const again = opfs("log", { directory });
    expect(await again.list("")).toEqual([
      { name: "a.log", kind: "file" },
      { name: "p-0", kind: "directory" },
    ]);
    await (await again.open("p-0/a.log", { create: "no" })).close();
    await again.close();
  });
});

describe("the lock of an origin", () => {
  const stub = (locks: WebLocks): void => void vi.stubGlobal("navigator", { locks });

  it("is held though its holder could not say who it is", async () => {
    const locks = fakeLocks();
    const told = (name: string): Promise<never> => {
      // Some browsers throw where others reject.
      if (name.startsWith("odradek:log ")) throw refusal("SecurityError");
      return Promise.reject(refusal("SecurityError"));
    };
    stub({ ...locks, request: (name, options, held) => (name.includes("{") ? told(name) : locks.request(name, options, held)) });
    for (const name of ["log", "other"]) {
      const lock = await opfs(name).lock(HOLDER, LOCK);
      expect(lock.stillHeld()).toBe(true);
      await lock.release();
      expect(lock.stillHeld()).toBe(false);
    }
  });

  it("that is refused, or not waited for any more, may be asked for again", async () => {
    const locks = fakeLocks();
    const request = vi.fn(locks.request).mockRejectedValueOnce(refusal("SecurityError"));
    stub({ ...locks, request: request as WebLocks["request"] });
    expect(await caught(opfs("log").lock(HOLDER, LOCK))).toMatchObject({ name: "SecurityError" });
    let letGo = (): void => {};
    const other = locks.request("odradek:log", {}, () => new Promise<void>((resolve) => (letGo = resolve)));
    const stop = new AbortController();
    const waiting = caught(opfs("log").lock(HOLDER, { ...LOCK, retryMs: 60_000, signal: stop.signal }));
    await new Promise(setImmediate);
    stop.abort(new Error("the page is leaving"));
    expect(await waiting).toMatchObject({ message: "the page is leaving" });
    // Nobody said who holds it.
    const refused = await caught(opfs("log").lock(HOLDER, { ...LOCK, retryMs: 0 }));
    expect(refused).toMatchObject({ code: "DIRECTORY_IN_USE", holder: null });
    letGo();
    await other;
    await (await opfs("log").lock(HOLDER, LOCK)).release();
  });
});
