/** Storage on a real disk: what the contract cannot ask of every driver. Full disks, limits, links, and who may write. */
import { execFileSync, spawnSync } from "node:child_process";
import { constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type StorageError, UsageError } from "../../src/base/errors.ts";
import { errnoError, errnoOf } from "../../src/storage/errno.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { renamePatiently } from "../../src/storage/node-rename.ts";

let directory = "";
let bundle = "";

beforeAll(async () => {
  bundle = mkdtempSync(join(tmpdir(), "odradek-node-bundle-"));
  await build({
    stdin: {
      contents: 'export * from "./src/storage/node.ts"; export * from "./src/storage/fenced.ts";',
      resolveDir: process.cwd(),
      loader: "ts",
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: join(bundle, "storage.mjs"),
    logLevel: "error",
  });
});
afterAll(() => rmSync(bundle, { recursive: true }));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "odradek-node-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function refusal(call: () => unknown): Promise<StorageError> {
  try {
    await call();
  } catch (error) {
    return error as StorageError;
  }
  throw new Error("expected a refusal");
}

/** Runs a script in a child under a shell's limits; `storage` and `print` are at hand. Answers what it printed. */
function underLimit(limit: string, script: string): unknown {
  const program = `
    import { nodeStorage, fenced } from ${JSON.stringify(pathToFileURL(join(bundle, "storage.mjs")).href)};
    const storage = fenced(nodeStorage(${JSON.stringify(directory)}));
    const print = (answer) => process.stdout.write(JSON.stringify(answer));
    ${script}`;
  writeFileSync(join(bundle, "script.mjs"), program);
  // The signal of an exceeded file size kills unless it is ignored, which children inherit.
  const shell = `trap '' XFSZ; ${limit}; exec ${process.execPath} ${join(bundle, "script.mjs")}`;
  const { stdout, stderr, status } = spawnSync("/bin/sh", ["-c", shell], { encoding: "utf8", timeout: 20_000 });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("a directory on disk", () => {
  it("is made with its parents when something is to be written, and not by a look", async () => {
    const path = join(directory, "a", "b", "c");
    const storage = nodeStorage(path);
    expect(await storage.list("")).toEqual([]);
    expect(errnoOf(await refusal(() => storage.open("x", { create: "no" })))).toBe("ENOENT");
    expect(existsSync(join(directory, "a"))).toBe(false);
    await (await storage.open("x", { create: "new" })).close();
    expect(existsSync(join(path, "x"))).toBe(true);
  });

  it("may be named by a URL", async () => {
    await nodeStorage(pathToFileURL(join(directory, "with space"))).createDirectory("d");
    expect(existsSync(join(directory, "with space", "d"))).toBe(true);
  });

  it("is refused with NOT_A_DIRECTORY where the path is a file, whatever is asked", async () => {
    const path = join(directory, "file");
    writeFileSync(path, "mine");
    for (const at of [path, join(path, "below")]) {
      const storage = fenced(nodeStorage(at));
      const calls = [
        () => storage.list(""),
        () => storage.open("a", { create: "if-missing" }),
        () => storage.open("a", { create: "no" }),
        () => storage.createDirectory("d"),
        () =>
          storage.lock(
            { pid: 1, runtime: "", version: "", since: "", argv: [], hostname: "" },
            { mechanism: "auto", allowNetworkFileSystem: false },
          ),
      ];
      for (const call of calls) expect((await refusal(call)).code).toBe("NOT_A_DIRECTORY");
    }
    expect(readFileSync(path, "utf8")).toBe("mine");
  });

  it("is not made of a path that means nothing", async () => {
    for (const wrong of ["", "a\0b", null, 7]) expect(await refusal(() => nodeStorage(wrong as string))).toBeInstanceOf(UsageError);
  });

  it("lets no link lead out of it", async () => {
    const outside = join(directory, "outside");
    const inside = join(directory, "data");
    mkdirSync(outside);
    mkdirSync(inside);
    writeFileSync(join(outside, "secret"), "secret");
    symlinkSync(outside, join(inside, "orders-0"));
    symlinkSync(join(outside, "secret"), join(inside, "a.log"));
    const storage = nodeStorage(inside);
    expect(errnoOf(await refusal(() => storage.open("orders-0/secret", { create: "no" })))).toBe("ELOOP");
    expect(errnoOf(await refusal(() => storage.open("orders-0/new", { create: "new" })))).toBe("ELOOP");
    expect(errnoOf(await refusal(() => storage.list("orders-0")))).toBe("ELOOP");
    expect(errnoOf(await refusal(() => storage.remove("orders-0/secret")))).toBe("ELOOP");
    expect(errnoOf(await refusal(() => storage.open("a.log", { create: "if-missing" })))).toBe("ELOOP");
    expect((await storage.list("")).map((entry) => entry.kind)).toEqual(["other", "other"]);
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  });

  it("does not hang on a pipe that stands under a file's name", async () => {
    execFileSync("mkfifo", [join(directory, "a.log")]);
    const storage = nodeStorage(directory);
    for (const readOnly of [true, false]) await refusal(() => storage.open("a.log", { create: "no", readOnly }));
  });

  it("counts on the process's umask for who may read", async () => {
    const mode = underLimit(
      "umask 077",
      `import { statSync } from "node:fs";
       await storage.createDirectory("d");
       await (await storage.open("d/a", { create: "new" })).close();
       print([statSync(${JSON.stringify(directory)} + "/d").mode & 0o777, statSync(${JSON.stringify(directory)} + "/d/a").mode & 0o777]);`,
    );
    expect(mode).toEqual([0o700, 0o600]);
  });
});

describe("the limits of the machine", () => {
  it("a file-size limit in the middle of a write is STORAGE_FULL, and what was written before stands", () => {
    const answer = underLimit(
      "ulimit -f 8",
      `const file = await storage.open("a", { create: "new" });
       file.writeAt(new Uint8Array(1000).fill(1), 0);
       let code = null;
       try { file.writeAt(new Uint8Array(20000).fill(2), 1000); } catch (error) { code = [error.code, error.retriable, error.cause.code]; }
       const grown = file.byteLength();
       file.truncate(1000);
       await file.sync();
       const back = new Uint8Array(2000);
       print({ code, grown: grown > 1000 && grown < 21000, left: file.readAt(back, 0), sum: back.reduce((sum, byte) => sum + byte, 0) });`,
    );
    expect(answer).toEqual({ code: ["STORAGE_FULL", true, "EFBIG"], grown: true, left: 1000, sum: 1000 });
  });

  it("no descriptor left is TOO_MANY_OPEN_FILES, and passes when one is closed", () => {
    const answer = underLimit(
      "ulimit -n 64",
      `const files = [];
       let code = null;
       try { for (;;) files.push(await storage.open("f" + files.length, { create: "new" })); } catch (error) { code = [error.code, error.retriable]; }
       const opened = files.length;
       files[0].writeAt(new Uint8Array(10), 0);
       await files.pop().close();
       await (await storage.open("last", { create: "new" })).close();
       print({ code, many: opened > 10 && opened < 64, length: files[0].byteLength() });`,
    );
    expect(answer).toEqual({ code: ["TOO_MANY_OPEN_FILES", true], many: true, length: 10 });
  });

  it("a disk that is full is STORAGE_FULL, reads go on, and writing does when there is room again", async () => {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], { stdio: "ignore" });
    } catch {
      process.stderr.write("not tested here: this machine does not permit mounting a tmpfs of 1 MiB\n");
      return;
    }
    try {
      const storage = fenced(nodeStorage(directory));
      const first = await storage.open("first", { create: "new" });
      first.writeAt(new Uint8Array(600 * 1024).fill(1), 0);
      const second = await storage.open("second", { create: "new" });
      const error = await refusal(() => second.writeAt(new Uint8Array(600 * 1024).fill(2), 0));
      expect([error.code, error.retriable, errnoOf(error)]).toEqual(["STORAGE_FULL", true, "ENOSPC"]);
      expect(error.message).toContain("second");
      expect(second.byteLength()).toBeLessThan(600 * 1024);
      const back = new Uint8Array(600 * 1024);
      expect(first.readAt(back, 0)).toBe(back.length);
      second.truncate(0);
      await second.sync();
      await first.close();
      await storage.remove("first");
      expect(second.writeAt(new Uint8Array(600 * 1024).fill(2), 0)).toBe(600 * 1024);
      await second.sync();
      // The lock's line is information only: taking the lock needs no room.
      expect((await refusal(() => second.writeAt(new Uint8Array(600 * 1024), 600 * 1024))).code).toBe("STORAGE_FULL");
      const lock = await storage.lock(
        { pid: 1, runtime: "", version: "", since: "", argv: [], hostname: "" },
        { mechanism: "auto", allowNetworkFileSystem: false },
      );
      expect(lock.stillHeld()).toBe(true);
      await lock.release();
      await second.close();
    } finally {
      execFileSync("umount", [directory]);
    }
  });

  it("a read-only file system is PERMISSION_DENIED for writers, and open to readers", async () => {
    const data = join(directory, "data");
    mkdirSync(data);
    writeFileSync(join(data, "a"), "here");
    try {
      execFileSync("mount", ["--bind", "-o", "ro", data, data], { stdio: "ignore" });
    } catch {
      process.stderr.write("not tested here: this machine does not permit a read-only bind mount\n");
      return;
    }
    try {
      const storage = fenced(nodeStorage(data));
      for (const call of [
        () => storage.open("a", { create: "no" }),
        () => storage.open("b", { create: "new" }),
        () => storage.createDirectory("d"),
        () => storage.remove("a"),
        () =>
          storage.lock(
            { pid: 1, runtime: "", version: "", since: "", argv: [], hostname: "" },
            { mechanism: "auto", allowNetworkFileSystem: false },
          ),
      ]) {
        expect((await refusal(call)).code).toBe("PERMISSION_DENIED");
      }
      const file = await fenced(nodeStorage(data), { readOnly: true }).open("a", { create: "no" });
      expect(file.byteLength()).toBe(4);
      await file.close();
    } finally {
      execFileSync("umount", [data]);
    }
  });
});

describe("a rename on Windows", () => {
  const attempts = async (
    platform: string,
    errnos: readonly string[],
  ): Promise<{ readonly tries: number; readonly waitedMs: number; readonly error: string | null }> => {
    let [tries, waitedMs] = [0, 0];
    const rename = async (): Promise<void> => {
      const errno = errnos[tries++];
      if (errno !== undefined) throw errnoError(errno, "rename", "a");
    };
    const sleep = async (delayMs: number): Promise<void> => {
      waitedMs += delayMs;
    };
    try {
      await renamePatiently(rename, platform, sleep);
      return { tries, waitedMs, error: null };
    } catch (error) {
      return { tries, waitedMs, error: errnoOf(error) };
    }
  };

  it("is tried again while a scanner looks at the file, for about ten seconds and no longer", async () => {
    expect(await attempts("win32", ["EPERM", "EBUSY", "EACCES"])).toMatchObject({ tries: 4, error: null });
    const hopeless = await attempts(
      "win32",
      Array.from({ length: 1000 }, () => "EPERM"),
    );
    expect(hopeless.error).toBe("EPERM");
    expect(hopeless.waitedMs).toBeGreaterThan(5000);
    expect(hopeless.waitedMs).toBeLessThan(15_000);
  });

  it("is not tried again for a refusal that will stand, nor on other systems", async () => {
    expect(await attempts("win32", ["ENOSPC"])).toMatchObject({ tries: 1, error: "ENOSPC" });
    expect(await attempts("linux", ["EPERM"])).toMatchObject({ tries: 1, error: "EPERM" });
  });
});

describe("the sources", () => {
  it("never open a file for appending: there the system ignores the position of a write", () => {
    for (const file of ["node.ts", "node-file.ts", "node-flock.ts", "node-exclusive-open.ts"]) {
      const source = readFileSync(new URL(`../../src/storage/${file}`, import.meta.url), "utf8");
      expect(source).not.toMatch(/O_APPEND|open(Sync)?\([^)]*["']a\+?["']/);
    }
    expect(constants.O_APPEND).toBeGreaterThan(0);
  });
});
