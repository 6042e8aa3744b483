/** The driver on disk where the system lacks what Windows lacks: flags that follow no link, flushes of directories, a lock by flock. */
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nodeHolder, nodeStorage } from "../../src/storage/node.ts";
import { storageContract } from "../../src/testing/storage-contract.ts";

vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const isMissing = (name: string): boolean => ["O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"].includes(name);
  return { ...real, constants: Object.fromEntries(Object.entries(real.constants).filter(([name]) => !isMissing(name))) };
});

const { platform, versions } = process;
const redefine = (name: "platform" | "versions", value: unknown): void =>
  void Object.defineProperty(process, name, { value, configurable: true, enumerable: true });

beforeAll(() => redefine("platform", "win32"));
afterAll(() => redefine("platform", platform));

storageContract(
  "disk, as on Windows",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "odradek-windows-"));
    return { driver: nodeStorage(join(directory, "data")), dispose: async () => rmSync(directory, { recursive: true }) };
  },
  { describe, it, expect },
);

describe("the driver as on Windows", () => {
  it("makes and flushes directories without asking for what is not there, and locks by its file", async () => {
    const directory = await realpath(await mkdtemp(join(tmpdir(), "odradek-windows-")));
    const driver = nodeStorage(join(directory, "log", "data"));
    expect(driver.directorySync).toBe(false);
    await driver.createDirectory("orders-0");
    await driver.syncDirectory("orders-0");
    const lock = await driver.lock(nodeHolder(), { mechanism: "auto", allowNetworkFileSystem: false });
    expect(lock.stillHeld()).toBe(true);
    expect(existsSync(join(directory, "log", "data", ".odradek-lock"))).toBe(true);
    await lock.release();
    rmSync(directory, { recursive: true });
  });
});

describe("who holds a lock", () => {
  it("is named by the runtime that it runs in, with that one's version", () => {
    try {
      for (const [runtime, version] of [
        ["electron", "40.1.0"],
        ["bun", "1.3.0"],
        ["deno", "2.5.0"],
      ] as const) {
        redefine("versions", { node: "22.0.0", [runtime]: version });
        expect(nodeHolder()).toMatchObject({ runtime, version });
      }
    } finally {
      redefine("versions", versions);
    }
    expect(nodeHolder()).toMatchObject({ runtime: "node", version: versions.node });
  });
});
