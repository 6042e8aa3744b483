/**
 * What the driver of the real file system asks of it. No kill shows whether a flush was asked for, since the system's cache outlives
 * the process: a driver without any passes every test but this one.
 */
import type * as fs from "node:fs";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import type * as promises from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { nodeStorage } from "../../../src/storage/node.ts";

const calls = vi.hoisted((): string[] => []);

vi.mock("node:fs", async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const fdatasync = (fd: number, done: fs.NoParamCallback): void => {
    calls.push(`datasync ${original.readlinkSync(`/proc/self/fd/${fd}`)}`);
    original.fdatasync(fd, done);
  };
  return { ...original, fdatasync };
});

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof promises>();
  const open: typeof original.open = async (path, ...rest) => {
    const handle = await original.open(path, ...rest);
    for (const call of ["sync", "datasync"] as const) {
      const flush = handle[call].bind(handle);
      handle[call] = () => {
        calls.push(`${call} ${String(path)}`);
        return flush();
      };
    }
    return handle;
  };
  return { ...original, open };
});

let directory = "";
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "odradek-calls-")));
  calls.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

async function asked(work: () => Promise<unknown>): Promise<string[]> {
  calls.length = 0;
  await work();
  return [...calls];
}

it("a flush of a file reaches the system: all of a new or cut file, the bytes of another", async () => {
  const storage = nodeStorage(directory);
  const path = join(directory, "x.log");
  const file = await storage.open("x.log", { create: "new" });
  file.writeAt(new Uint8Array(10), 0);
  expect(await asked(() => file.sync())).toEqual([`sync ${path}`]);
  file.writeAt(new Uint8Array(10), 10);
  expect(await asked(() => file.sync())).toEqual([`datasync ${path}`]);
  file.truncate(5);
  expect(await asked(() => file.sync())).toEqual([`sync ${path}`]);
  await file.close();
  const again = await storage.open("x.log", { create: "no" });
  again.writeAt(new Uint8Array(10), 0);
  expect(await asked(() => again.sync())).toEqual([`datasync ${path}`]);
  await again.close();
});

it.skipIf(process.platform === "win32")("a flush of a directory reaches the system", async () => {
  const storage = nodeStorage(directory);
  await storage.createDirectory("orders-0");
  expect(await asked(() => storage.syncDirectory("orders-0"))).toEqual([`sync ${join(directory, "orders-0")}`]);
  expect(await asked(() => storage.syncDirectory(""))).toEqual([`sync ${directory}`]);
});

it.skipIf(process.platform === "win32")(
  "a data directory that is made has a durable name, and so has every folder above it that is made",
  async () => {
    const storage = nodeStorage(join(directory, "a", "b", "c"));
    const found = await asked(() => storage.createDirectory("orders-0"));
    for (const made of ["", "a", "a/b"]) expect(found).toContain(`sync ${join(directory, made)}`);
  },
);
