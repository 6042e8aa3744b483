/** Directories that a crash left behind: those with nothing in them are cleared away, and none that holds, or held, a record. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { holdsRecords, removeLeftovers } from "../../src/engine/leftover.ts";
import { memory } from "../../src/index.ts";

describe("a directory that was left behind", () => {
  const withFile = async (name: string, byteLength: number): Promise<ReturnType<typeof memory>> => {
    const storage = memory();
    await storage.createDirectory("orders-0");
    const file = await storage.open(`orders-0/${name}`, { create: "new" });
    if (byteLength > 0) file.writeAt(new Uint8Array(byteLength), 0);
    await file.close();
    return storage;
  };

  it.each([
    ["00000000000000000000.log", 0, false],
    ["00000000000000000000.log", 61, true],
    // Empty, but records before it were retained away: somebody's log.
    ["00000000000000000007.log", 0, true],
    ["00000000000000000007.index", 8, false],
    ["odradek.state", 512, false],
  ])("with %s of %d bytes: holds records: %s, and goes only if not", async (name, byteLength, holds) => {
    const storage = await withFile(name, byteLength);
    expect(await holdsRecords(storage, "orders-0")).toBe(holds);
    const removed = removeLeftovers(storage, ["orders-0", "orders-1"]);
    if (holds) await expect(removed).rejects.toBeInstanceOf(UsageError);
    else await removed;
    expect((await storage.list("")).map((entry) => entry.name)).toEqual(holds ? ["orders-0"] : []);
  });
});
