/** What the drivers and locks on a real disk do when the system refuses one of their calls: each refusal is told as what it is, and nothing is kept that nobody owns. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open as openHandle } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { StorageLock } from "../../src/api/storage-driver.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeHolder, nodeStorage } from "../../src/storage/node.ts";
import { NodeFile } from "../../src/storage/node-file.ts";
import { lockDirectory } from "../../src/storage/node-lock.ts";
import { networkFileSystemAt } from "../../src/storage/node-network-file-system.ts";
import { directory, optionsOf, refusal, takeAndRelease, useLockBed } from "./lock-bed.ts";
import { answerWith, forgetRefusals, refuse } from "./system-faults.ts";

useLockBed();

vi.mock("node:fs", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));
vi.mock("node:fs/promises", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));
vi.mock("node:child_process", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));
vi.mock("node:os", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));

/** A file system that a program serves. */
const FUSE = 0x65735546;

afterEach(() => {
  expect(forgetRefusals()).toEqual([]);
});

const lock = (mechanism: "auto" | "socket", more: object = {}): Promise<StorageLock> =>
  lockDirectory(directory, nodeHolder(), optionsOf(mechanism, { retryMs: 0, ...more }));

/** A socket whose owner has died: its name is there, and nobody listens. */
async function deadSocket(path: string): Promise<void> {
  const child = spawn(process.execPath, [
    "-e",
    `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
  await once(child, "exit");
  expect(existsSync(path)).toBe(true);
}

describe("a lock by flock", () => {
  it("is refused in words when its file is a directory, may not be opened, or cannot be", async () => {
    for (const [errno, code, words] of [
      ["EISDIR", "LOCK_UNAVAILABLE", 'lock: "socket"'],
      ["EACCES", "PERMISSION_DENIED", "readOnly: true"],
      ["EROFS", "PERMISSION_DENIED", "readOnly: true"],
      ["EIO", "EIO", ""],
    ] as const) {
      refuse("openSync", errno, /odradek-lock$/);
      expect(await refusal(lock("auto"))).toMatchObject({ code, message: expect.stringContaining(words) });
      await takeAndRelease("auto");
    }
  });

  it("is refused when the program cannot be run, and when the kernel cannot be asked", async () => {
    refuse("spawnSync", "ERR_ACCESS_DENIED");
    expect((await refusal(lock("auto"))).message).toContain("--allow-child-process");
    const fake = join(directory, "flock");
    writeFileSync(fake, "no program", { mode: 0o600 });
    expect((await refusal(lock("auto", { flockPrograms: [fake] }))).message).toContain("could not be run");
    refuse("readFileSync", "EACCES", /fdinfo/);
    expect((await refusal(lock("auto"))).message).toContain("/proc/self/fdinfo could not be read");
    await takeAndRelease("auto");
  });

  it("gives up when its file is replaced each time", async () => {
    let count = 0;
    const afterFlock = (): void => {
      count += 1;
      writeFileSync(join(directory, "other"), "");
      renameSync(join(directory, "other"), join(directory, ".odradek-lock"));
    };
    expect((await refusal(lock("auto", { afterFlock }))).message).toContain("was replaced by someone else 8 times");
    expect(count).toBe(8);
    await takeAndRelease("auto");
  });

  // The lock was ours when the look at the broker's file failed: nobody gave it back before the process died.
  it("is given back when it cannot be told whether a broker is there", async () => {
    refuse("statSync", "EACCES", /\.lock$/);
    expect((await refusal(lock("auto"))).code).toBe("EACCES");
    await takeAndRelease("auto");
  });

  it("does without the table of locks where it cannot be read, and without the name of the machine", async () => {
    writeFileSync(join(directory, ".lock"), "");
    refuse("readFileSync", "EACCES", /^\/proc\/locks$/);
    await takeAndRelease("auto");
    refuse("hostname", "EACCES");
    expect(nodeHolder().hostname).toBe("");
  });
});

describe("a lock by opening", () => {
  it("names nobody where the file cannot be read, and tells what is no lock", async () => {
    for (const [errno, code] of [
      ["EBUSY", "DIRECTORY_IN_USE"],
      ["EIO", "EIO"],
    ] as const) {
      refuse("openSync", errno, /odradek-lock$/, errno === "EBUSY" ? 2 : 1);
      expect(await refusal(lock("auto", { platform: "win32" }))).toMatchObject({ code });
    }
    expect((await refusal(lock("auto", { platform: "aix" }))).message).toContain("no lock is known for aix");
    expect((await refusal(lock("socket", { platform: "darwin" }))).message).toContain("for Linux alone");
  });
});

describe("a network file system", () => {
  it("is refused by name; of one that a program serves the table of mounts tells, and where that cannot be read it is taken for local", async () => {
    answerWith("statfsSync", { type: 0x6969 });
    expect((await refusal(lock("auto"))).message).toContain("(NFS)");
    answerWith("statfsSync", { type: FUSE });
    answerWith("readFileSync", `36 35 0:40 / ${directory} rw - fuse.sshfs host: rw\n`, /mountinfo/);
    expect(networkFileSystemAt(directory, "linux")).toBe("fuse.sshfs");
    answerWith("statfsSync", { type: FUSE });
    refuse("readFileSync", "EACCES", /mountinfo/);
    expect(networkFileSystemAt(directory, "linux")).toBe(null);
    await takeAndRelease("auto");
  });
});

describe("a lock by socket", () => {
  it("is refused in words where a file of the other way stands", async () => {
    await takeAndRelease("auto");
    expect((await refusal(lock("socket"))).message).toContain('last opened with lock: "auto"');
  });

  it("leaves nothing behind, whichever of its calls is refused", async () => {
    for (const [call, where] of [
      ["mkdirSync", /odradek-lock\./],
      ["openSync", /odradek-lock\./],
      ["renameSync", /odradek-lock\./],
    ] as const) {
      refuse(call, "EIO", where);
      expect((await refusal(lock("socket"))).code, call).toBe("EIO");
      expect(readdirSync(directory), call).toEqual([]);
      await takeAndRelease("socket");
    }
  });

  it("tries again when what it made was swept away meanwhile, and gives up in the end", async () => {
    refuse("openSync", "ENOENT", /odradek-lock\./);
    refuse("renameSync", "ENOENT", /odradek-lock\./);
    await takeAndRelease("socket");
    refuse("renameSync", "ENOENT", /odradek-lock\./, 64);
    expect((await refusal(lock("socket"))).message).toContain("taken and freed by others 64 times");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("tells a refusal to look at the owner, and takes over when the owner has gone by then", async () => {
    for (const errno of ["EIO", "ENOENT"] as const) {
      refuse("renameSync", "ENOTEMPTY", /odradek-lock\./);
      refuse("readdirSync", errno, /odradek-lock$/);
      if (errno === "EIO") expect((await refusal(lock("socket"))).code).toBe("EIO");
      else await takeAndRelease("socket");
    }
  });

  // The name was ours when the sweeping of others' leftovers failed: the lock stayed with nobody.
  it("is kept by its owner when leftovers cannot be looked for, and given back when asked", async () => {
    refuse("readdirSync", "EIO");
    await takeAndRelease("socket");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("asks in another way in Bun, which calls a full queue a refusal", async () => {
    const claim = join(directory, ".odradek-lock.1-0123456789abcdef");
    for (const code of ["ConnectionRefused", "TimeoutError"]) {
      mkdirSync(claim, { recursive: true });
      await deadSocket(join(claim, ".odradek-lock.1-0123456789abcdef"));
      vi.stubGlobal("Bun", {});
      vi.stubGlobal("fetch", () => Promise.reject(Object.assign(new Error(code), { code })));
      try {
        await takeAndRelease("socket");
      } finally {
        vi.unstubAllGlobals();
      }
      // What is not understood counts as life, and is left alone.
      expect(existsSync(claim)).toBe(code !== "ConnectionRefused");
    }
  });

  it("leaves what it cannot look at to others, and passes over what has gone meanwhile", async () => {
    const name = ".odradek-lock.1-0123456789abcdef";
    for (const errno of ["EIO", "ENOENT"] as const) {
      mkdirSync(join(directory, name), { recursive: true });
      refuse("openSync", errno, /odradek-lock\.1-0123/);
      await takeAndRelease("socket");
      expect(existsSync(join(directory, name)), errno).toBe(errno === "EIO");
    }
  });

  it("tells when its names cannot be removed", async () => {
    for (const call of ["unlinkSync", "rmdirSync"] as const) {
      const owner = await lock("socket");
      refuse(call, "EIO", /odradek-lock/);
      expect((await refusal(owner.release())).code, call).toBe("EIO");
      // Nobody listens any more: the next one takes it.
      await takeAndRelease("socket");
    }
  });
});

describe("files on disk", () => {
  it("tells what is no path of a directory", () => {
    expect(() => nodeStorage(new URL("https://example.org/data"))).toThrow("expected a file: URL, found https://example.org");
    expect(() => nodeStorage("")).toThrow("expected the path of a directory");
    expect(() => nodeStorage(undefined as never)).toThrow("expected the path of a directory, found undefined");
  });

  it("tells what is of the wrong kind, or not there", async () => {
    const storage = nodeStorage(directory);
    await storage.createDirectory("d");
    await (await storage.open("f", { create: "new" })).close();
    await expect(storage.replace("d", "e")).rejects.toMatchObject({ code: "EISDIR" });
    await expect(storage.renameDirectory("f", "g")).rejects.toMatchObject({ code: "ENOTDIR" });
    await expect(storage.remove("nowhere/f")).rejects.toMatchObject({ code: "ENOENT" });
    await expect(storage.open("d", { create: "no", readOnly: true })).rejects.toMatchObject({ code: "EISDIR" });
  });

  it("tells that no directory can be flushed: as it came, or that Node's permission model forbids it", async () => {
    const storage = nodeStorage(directory);
    await (await storage.open("f", { create: "new" })).close();
    for (const [errno, told] of [
      ["ERR_ACCESS_DENIED", { code: "PERMISSION_DENIED", message: expect.stringContaining("allows no flush to disk under --permission") }],
      ["EIO", { code: "EIO" }],
    ] as const) {
      let closedCount = 0;
      const sync = (): Promise<never> => Promise.reject(Object.assign(new Error(errno), { code: errno }));
      const close = async (): Promise<void> => {
        closedCount += 1;
      };
      answerWith("open", { sync, close }, new RegExp(`${directory}$`));
      await expect(storage.syncDirectory("")).rejects.toMatchObject(told);
      expect(closedCount).toBe(1);
    }
    await storage.syncDirectory("");
    await storage.close?.();
  });

  // The directory was made, the flush of its parent refused, and the next opening found a directory: nobody ever flushed its name.
  it("leaves no directory whose name could not be made durable", async () => {
    const path = join(directory, "data", "log");
    const storage = nodeStorage(path);
    for (const where of [join(directory, "data"), directory]) {
      refuse("open", "EIO", new RegExp(`${where}$`));
      await expect(storage.createDirectory("orders-0")).rejects.toMatchObject({ code: "EIO" });
      expect(readdirSync(directory)).not.toContain("data");
    }
    await storage.createDirectory("orders-0");
    expect(readdirSync(path)).toEqual(["orders-0"]);
    await storage.close?.();
  });

  it("tells why a name could not be made durable, even where the directory will not go again", async () => {
    const storage = nodeStorage(join(directory, "data"));
    refuse("open", "EIO", new RegExp(`${directory}$`));
    refuse("rmdir", "EBUSY", /data$/);
    await expect(storage.createDirectory("orders-0")).rejects.toMatchObject({ code: "EIO" });
    expect(readdirSync(join(directory, "data"))).toEqual([]);
    await storage.close?.();
  });

  it("reads ahead as advice alone: what is refused there costs nothing, and is asked of the read", async () => {
    const path = join(directory, "f");
    writeFileSync(path, new Uint8Array(10));
    const handle = await openHandle(path);
    let refusals = 0;
    const refusing = new Proxy(handle, {
      get(target, name) {
        if (name === "read")
          return () => {
            refusals += 1;
            return Promise.reject(new Error("EIO"));
          };
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const file = new NodeFile("f", refusing, false);
    await file.readAhead(0, 10);
    expect(refusals).toBe(1);
    expect(file.readAt(new Uint8Array(10), 0)).toBe(10);
    await file.close();
  });

  it("flushes bytes by the handle where the permission model takes every flush of a number away", async () => {
    const path = join(directory, "f");
    writeFileSync(path, new Uint8Array(10));
    const flush = async (): Promise<string[]> => {
      vi.resetModules();
      const { NodeFile: Loaded } = await import("../../src/storage/node-file.ts");
      const file = new Loaded("f", await openHandle(path, "r+"), false);
      refuse("fdatasync", "ERR_ACCESS_DENIED");
      const told = await file.sync().then(
        () => [],
        ({ code }: NodeJS.ErrnoException) => [code as string],
      );
      await file.close();
      return [...told, ...forgetRefusals()];
    };
    expect(await flush()).toEqual(["ERR_ACCESS_DENIED"]);
    Object.defineProperty(process, "permission", { value: {}, configurable: true });
    try {
      // The refusal was not met.
      expect(await flush()).toEqual(["fdatasync ERR_ACCESS_DENIED"]);
    } finally {
      Reflect.deleteProperty(process, "permission");
    }
  });

  it("gives the number of a file that is written back when its flush has come back, and not before", async () => {
    const path = join(directory, "f");
    writeFileSync(path, new Uint8Array(10));
    const handle = await openHandle(path, "r+");
    const closed = vi.spyOn(handle, "close");
    const file = new NodeFile("f", handle, false);
    const flushes = [file.sync(), file.sync()];
    const closing = file.close();
    // What came of a flush is told in a later turn of the loop.
    for (let passed = 0; passed < 20; passed += 1) await null;
    expect(closed).not.toHaveBeenCalled();
    await Promise.all([...flushes, closing, file.close()]);
    expect(closed).toHaveBeenCalledTimes(1);
  });

  it("gives the number of a file that is only read back when the last call with it has come back, and not before", async () => {
    const path = join(directory, "f");
    writeFileSync(path, new Uint8Array(10));
    const isOpen = (): boolean => readdirSync("/proc/self/fd").some((fd) => linkOf(fd) === path);
    const file = await nodeStorage(directory).open("f", { create: "no", readOnly: true });
    const ahead = file.readAhead(0, 10);
    // The door of read-aheads is passed in a microtask; what came of the read is told in a later turn of the loop.
    for (let passed = 0; passed < 8; passed += 1) await null;
    const closing = file.close();
    expect(isOpen()).toBe(true);
    expect(() => file.readAt(new Uint8Array(1), 0)).toThrow("EBADF");
    await Promise.all([ahead, closing, file.close()]);
    expect(isOpen()).toBe(false);
  });

  it("closes what is only read though its name is gone, and flushes it; a refused read ahead costs nothing", async () => {
    const path = join(directory, "f");
    writeFileSync(path, new Uint8Array(10));
    const file = await nodeStorage(directory).open("f", { create: "no", readOnly: true });
    refuse("read", "EIO");
    await file.readAhead(0, 10);
    await file.sync();
    rmSync(path);
    expect(file.readAt(new Uint8Array(10), 0)).toBe(10);
    await file.close();
    expect(readdirSync("/proc/self/fd").map(linkOf)).not.toContain(`${path} (deleted)`);
    await expect(file.sync()).rejects.toMatchObject({ code: "EBADF" });
  });

  it("tells every refusal as it came", async () => {
    const storage = nodeStorage(directory);
    await storage.createDirectory("d");
    refuse("open", "EIO", /\/f$/);
    await expect(storage.open("f", { create: "if-missing" })).rejects.toMatchObject({ code: "EIO" });
    refuse("realpathSync.native", "EIO", /\/d$/);
    await expect(storage.list("d")).rejects.toMatchObject({ code: "EIO" });
    refuse("lstat", "EIO", /\/e$/);
    await expect(storage.renameDirectory("d", "e")).rejects.toMatchObject({ code: "EIO" });
    const other = nodeStorage(join(directory, "root"));
    refuse("realpathSync.native", "EIO", /root$/);
    await expect(other.list("")).rejects.toMatchObject({ code: "EIO" });
    refuse("realpathSync.native", "ENOENT", /root$/, 2);
    await expect(other.createDirectory("x")).rejects.toMatchObject({ code: "ENOENT" });
    await other.createDirectory("x");
  });
});

describe("memory", () => {
  it("is full where the system has no more of it, or a file would be too long", async () => {
    const file = await memory().open("f", { create: "new" });
    expect(() => file.truncate(2 ** 32)).toThrow("EFBIG");
    vi.stubGlobal("Uint8Array", () => {
      throw new RangeError("Array buffer allocation failed");
    });
    try {
      expect(() => file.truncate(100_000)).toThrow("ENOSPC");
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("the fence", () => {
  it("tells when the driver will not close", async () => {
    const driver = memory();
    driver.close = () => Promise.reject(Object.assign(new Error("EIO: close"), { code: "EIO" }));
    await expect(fenced(driver).close()).rejects.toMatchObject({ name: "StorageError", code: "STORAGE_FAILED" });
  });
});

/** Where a descriptor of ours leads; "" for one that was closed meanwhile. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
