/** What the driver for Durable Objects refuses, and what it leaves as it is. */
import { describe, expect, it } from "vitest";
import { durableObject } from "../../src/storage/durable-object.ts";
import { FakeDurableStorage } from "./fake-durable-storage.ts";

describe("names and lengths in a Durable Object", () => {
  it("stay as they are where they are set to what they are", async () => {
    const storage = new FakeDurableStorage();
    const driver = durableObject({ storage });
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(new Uint8Array(10).fill(7), 0);
    const before = structuredClone(storage.tables);
    file.truncate(10);
    await driver.replace("a.log", "a.log");
    expect(storage.tables).toEqual(before);
    await file.close();
  });

  it("tell a file that is asked for as a directory from one that is not there", async () => {
    const driver = durableObject({ storage: new FakeDurableStorage() });
    await (await driver.open("a.log", { create: "new" })).close();
    await expect(driver.open("a.log/b", { create: "no" })).rejects.toMatchObject({ code: "ENOTDIR" });
    await expect(driver.open("b/b", { create: "no" })).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("tell what SQLite threw, if it was not even an error", async () => {
    const storage = new FakeDurableStorage();
    storage.sql.exec = () => {
      throw "SQLITE_FULL";
    };
    await expect(durableObject({ storage }).list("")).rejects.toMatchObject({
      code: "ENOSPC",
      message: expect.stringContaining("SQLITE_FULL") as string,
    });
  });
});
