/** The storage contract, the part on names: files and directories come, go and change places as told, and never outside the root. */
import { contentOf, refusedErrno as errno, fileWith, listed, type Promises, pattern, refusal, type TestFramework } from "./contract-kit.ts";

export function nameContract(promise: Promises, expect: TestFramework["expect"]): void {
  promise("opens by the three rules: must exist, may, must not", async (driver) => {
    expect(await errno(() => driver.open("a.log", { create: "no" }))).toEqual("ENOENT");
    await (await driver.open("a.log", { create: "if-missing" })).close();
    await (await driver.open("a.log", { create: "if-missing" })).close();
    expect(await errno(() => driver.open("a.log", { create: "new" }))).toEqual("EEXIST");
    await (await driver.open("b.log", { create: "new" })).close();
    expect(await listed(driver, "")).toEqual(["file a.log", "file b.log"]);
  });

  promise("makes no file where the directory is not there", async (driver) => {
    expect(await errno(() => driver.open("orders-0/a.log", { create: "if-missing" }))).toEqual("ENOENT");
    expect(await listed(driver, "")).toEqual([]);
  });

  promise("does not open a directory as a file", async (driver) => {
    await driver.createDirectory("orders-0");
    await refusal(() => driver.open("orders-0", { create: "no" }));
    await refusal(() => driver.open("orders-0", { create: "no", readOnly: true }));
    await refusal(() => driver.open("orders-0", { create: "if-missing" }));
  });

  promise("makes directories, lists what stands in them, and lists nothing where there is none", async (driver) => {
    await driver.createDirectory("orders-0");
    await driver.createDirectory("orders-0");
    await fileWith(driver, "orders-0/a.log", pattern(1));
    await fileWith(driver, "top", pattern(1));
    expect(await listed(driver, "")).toEqual(["directory orders-0", "file top"]);
    expect(await listed(driver, "orders-0")).toEqual(["file a.log"]);
    expect(await listed(driver, "orders-1")).toEqual([]);
    await refusal(() => driver.list("top"));
    await refusal(() => driver.createDirectory("top"));
  });

  promise("removes files and empty directories, and says when there is none", async (driver) => {
    await driver.createDirectory("orders-0");
    await fileWith(driver, "orders-0/a.log", pattern(1));
    expect(await errno(() => driver.removeDirectory("orders-0"))).toEqual("ENOTEMPTY");
    await driver.remove("orders-0/a.log");
    expect(await errno(() => driver.remove("orders-0/a.log"))).toEqual("ENOENT");
    await refusal(() => driver.remove("orders-0"));
    await driver.removeDirectory("orders-0");
    expect(await errno(() => driver.removeDirectory("orders-0"))).toEqual("ENOENT");
    expect(await listed(driver, "")).toEqual([]);
  });

  promise("replaces: the new bytes stand under the old name, the temporary name is gone", async (driver) => {
    await fileWith(driver, "book.json", pattern(10));
    await fileWith(driver, "book.json.tmp", pattern(20, 3));
    await driver.replace("book.json.tmp", "book.json");
    expect(await listed(driver, "")).toEqual(["file book.json"]);
    expect(await contentOf(driver, "book.json")).toEqual(pattern(20, 3));
    expect(await errno(() => driver.replace("book.json.tmp", "book.json"))).toEqual("ENOENT");
    await driver.replace("book.json", "other.json");
    expect(await contentOf(driver, "other.json")).toEqual(pattern(20, 3));
  });

  promise("replaces no directory, and nothing across directories", async (driver) => {
    await driver.createDirectory("orders-0");
    await fileWith(driver, "a", pattern(1));
    await refusal(() => driver.replace("a", "orders-0"));
    await refusal(() => driver.replace("a", "orders-0/a"));
    expect(await listed(driver, "")).toEqual(["directory orders-0", "file a"]);
  });

  promise("lets an open file follow its bytes through a rename", async (driver) => {
    const file = await driver.open("a.cleaned", { create: "new" });
    file.writeAt(pattern(10), 0);
    await driver.replace("a.cleaned", "a.log");
    file.writeAt(pattern(10), 10);
    await file.close();
    expect((await contentOf(driver, "a.log")).length).toEqual(20);
  });

  promise("renames a directory with what is in it, onto nothing alone", async (driver) => {
    await driver.createDirectory("orders-0");
    await fileWith(driver, "orders-0/a.log", pattern(10));
    await driver.createDirectory("orders-1");
    await refusal(() => driver.renameDirectory("orders-0", "orders-1"));
    await driver.renameDirectory("orders-0", "orders-0-delete");
    expect(await listed(driver, "")).toEqual(["directory orders-0-delete", "directory orders-1"]);
    expect(await contentOf(driver, "orders-0-delete/a.log")).toEqual(pattern(10));
    expect(await errno(() => driver.renameDirectory("orders-0", "x"))).toEqual("ENOENT");
  });

  promise("flushes directories", async (driver) => {
    await driver.createDirectory("orders-0");
    await fileWith(driver, "orders-0/a.log", pattern(1));
    await driver.syncDirectory("orders-0");
    await driver.syncDirectory("");
  });

  promise("refuses names that lead out of the root or mean nothing", async (driver) => {
    const bad = [
      "",
      ".",
      "..",
      "../a",
      "a/..",
      "a/../b",
      "/a",
      "/etc/passwd",
      "a/b/c",
      "a//b",
      "a/",
      "a\\b",
      "a\0b",
      "c:d",
      "x".repeat(256),
    ];
    await driver.createDirectory("a");
    for (const wrong of bad) {
      await refusal(() => driver.open(wrong, { create: "if-missing" }));
      await refusal(() => driver.remove(wrong));
      await refusal(() => driver.replace(wrong, "ok"));
      await refusal(() => driver.createDirectory(wrong));
      await refusal(() => driver.removeDirectory(wrong));
      await refusal(() => driver.renameDirectory("a", wrong));
      if (wrong !== "") await refusal(() => driver.list(wrong));
      if (wrong !== "") await refusal(() => driver.syncDirectory(wrong));
    }
    expect(await listed(driver, "")).toEqual(["directory a"]);
  });

  promise("rejects, and never throws at once", async (driver) => {
    const calls = [
      () => driver.open("..", { create: "no" }),
      () => driver.list(".."),
      () => driver.createDirectory(".."),
      () => driver.removeDirectory(".."),
      () => driver.replace("..", "a"),
      () => driver.renameDirectory("..", "a"),
      () => driver.remove(".."),
      () => driver.syncDirectory(".."),
    ];
    for (const call of calls) {
      let answer: Promise<unknown> | null = null;
      try {
        answer = call();
      } catch {}
      expect(answer instanceof Promise).toEqual(true);
      await refusal(() => answer);
    }
  });
}
