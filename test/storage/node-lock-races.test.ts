/** What happens to a lock between two of its calls: names that come and go, owners that speak slowly, programs that are killed. */
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { StorageLock } from "../../src/api/storage-driver.ts";
import { holderLine } from "../../src/storage/lock-holder.ts";
import { nodeHolder } from "../../src/storage/node.ts";
import { lockByFlock } from "../../src/storage/node-flock.ts";
import { lockDirectory } from "../../src/storage/node-lock.ts";
import type { LockAttempt } from "../../src/storage/node-lock-file.ts";
import { networkFileSystemAt } from "../../src/storage/node-network-file-system.ts";
import { lockBySocket } from "../../src/storage/node-socket-lock.ts";
import { directory, optionsOf, refusal, takeAndRelease, useLockBed } from "./lock-bed.ts";
import { answerWith, forgetRefusals, justBefore, refuse } from "./system-faults.ts";

useLockBed();

vi.mock("node:fs", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));
vi.mock("node:child_process", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));
vi.mock("node:net", async (original) => (await import("./system-faults.ts")).refusing(await original<object>()));

afterEach(() => {
  expect(forgetRefusals()).toEqual([]);
});

const NAME = ".odradek-lock.1-0123456789abcdef";
const holder = { pid: 7, runtime: "node", version: "20.1.0", since: "2026-11-22T00:00:00.000Z", argv: ["app.js"], hostname: "there" };
const lock = (mechanism: "auto" | "socket", more: object = {}): Promise<StorageLock> =>
  lockDirectory(directory, nodeHolder(), optionsOf(mechanism, { retryMs: 0, ...more }));

/** A socket in the place of the lock whose owner has died: its name is there, and nobody listens. */
async function deadOwner(): Promise<string> {
  const lockPath = join(directory, ".odradek-lock");
  mkdirSync(lockPath);
  const script = `require("net").createServer().listen(${JSON.stringify(join(lockPath, NAME))}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script]), "exit");
  expect(readdirSync(lockPath)).toEqual([NAME]);
  return lockPath;
}

describe("a lock by socket", () => {
  it("that was swept away just before it got its name is tried again, and nobody's name stays", async () => {
    justBefore("renameSync", /odradek-lock\./, () => {
      const [mine] = readdirSync(directory).filter((name) => name.startsWith(".odradek-lock."));
      rmSync(join(directory, mine as string, mine as string));
    });
    const owner = await lock("socket");
    expect(owner.stillHeld()).toBe(true);
    await owner.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is free where the dead owner's socket, or the directory round it, goes while it is looked at", async () => {
    refuse("renameSync", "ENOTEMPTY", /odradek-lock\./);
    answerWith("readdirSync", [NAME], /odradek-lock$/);
    await takeAndRelease("socket");
    const lockPath = await deadOwner();
    justBefore("openSync", /odradek-lock$/, () => {
      rmSync(join(lockPath, NAME));
      rmdirSync(lockPath);
    });
    await takeAndRelease("socket");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("tells who holds it, though the owner speaks in pieces, or takes the caller for nobody", async () => {
    const lockPath = join(directory, ".odradek-lock");
    mkdirSync(lockPath);
    const line = holderLine(holder);
    const owner = createServer((socket) => {
      socket.write(line.slice(0, 10));
      setTimeout(() => socket.end(line.slice(10)), 20);
    });
    await new Promise<void>((resolve) => void owner.listen(join(lockPath, NAME), resolve));
    expect((await refusal(lock("socket"))).message).toContain("process 7 (node 20.1.0) on there since 2026-11-22T00:00:00.000Z: app.js");
    // What is neither a refusal nor an absence counts as life.
    const deaf = Object.assign(new EventEmitter(), { destroy: () => {} });
    answerWith("connect", deaf);
    const refused = Object.assign(new Error("EACCES: connect"), { code: "EACCES" });
    deaf.on("newListener", (event) => event === "error" && setImmediate(() => deaf.emit("error", refused)));
    expect((await refusal(lock("socket"))).message).toContain("another process (it did not say which)");
    await new Promise((resolve) => owner.close(resolve));
  });
});

describe("a lock by flock", () => {
  it("is refused when the program is killed before it could say anything", async () => {
    answerWith("spawnSync", { status: null, signal: "SIGKILL", stderr: null });
    const error = await refusal(lock("auto"));
    expect(error).toMatchObject({ code: "LOCK_UNAVAILABLE" });
    expect(error.message).toMatch(/flock ended with signal SIGKILL$/);
    await takeAndRelease("auto");
  });

  it("is tried without a look at the file system where a network's is allowed", async () => {
    refuse("spawnSync", "EIO");
    expect((await refusal(lock("auto", { allowNetworkFileSystem: true }))).message).toContain("could not be run: EIO");
  });
});

describe("a lock by opening, as on Windows, macOS and the BSDs", () => {
  it.each(["win32", "darwin", "freebsd"])("is the file's own, and names who holds it as far as that is known: %s", async (platform) => {
    // Here the flag means nothing to the system: that the file is opened, written and closed is all that can be seen.
    const owner = await lock("auto", { platform });
    expect(owner.stillHeld()).toBe(true);
    await owner.release();
    for (const [line, who] of [
      [holderLine(holder), "process 7 (node 20.1.0) on there"],
      ['{"pid":7}\n', "process 7 (?)."],
      ["", "another process (it did not say which)"],
    ] as const) {
      writeFileSync(join(directory, ".odradek-lock"), line);
      refuse("openSync", "EAGAIN", /odradek-lock$/);
      const error = await refusal(lock("auto", { platform }));
      expect(error.code).toBe("DIRECTORY_IN_USE");
      expect(error.message.replace("(?). One", "(?).")).toContain(who);
    }
  });

  it("is nobody's when its file was replaced while it was being opened, and is tried again", async () => {
    answerWith("statSync", { dev: 0, ino: 0 }, /odradek-lock$/);
    const owner = await lock("auto", { platform: "darwin", retryMs: 1000 });
    expect(owner.stillHeld()).toBe(true);
    await owner.release();
    answerWith("statSync", { dev: 0, ino: 0 }, /odradek-lock$/);
    expect(await refusal(lock("auto", { platform: "darwin" }))).toMatchObject({ code: "DIRECTORY_IN_USE", holder: null });
  });

  it("is refused on a share that Windows names as one, and on nothing that merely looks alike", async () => {
    expect(networkFileSystemAt("\\\\server\\share\\log", "win32")).toBe("SMB");
    for (const path of ["C:\\log", "\\\\?\\C:\\log", "\\\\.\\C:\\log"]) expect(networkFileSystemAt(path, "win32")).toBeNull();
  });
});

// What was closed has a number that another file has by now: closed again, it would be that file.
describe("a lock that is given back twice", () => {
  it.each<readonly [string, () => Promise<LockAttempt> | LockAttempt]>([
    ["flock", () => lockByFlock(directory, holder, {})],
    ["sockets", () => lockBySocket(directory, holder)],
  ])("takes nothing from anyone else: %s", async (_way, take) => {
    const first = (await take()) as StorageLock;
    await first.release();
    const descriptors = Array.from({ length: 4 }, () => openSync(join(directory, "file"), "a+"));
    const second = (await take()) as StorageLock;
    await first.release();
    expect([first.stillHeld(), second.stillHeld()]).toEqual([false, true]);
    for (const fd of descriptors) {
      expect(fstatSync(fd).isFile()).toBe(true);
      closeSync(fd);
    }
    await second.release();
  });
});
