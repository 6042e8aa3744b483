/** The storage contract as a suite of tests, for any driver and any test framework that has describe and it. */
import type { LockHolder, StorageDriver } from "../api/storage-driver.ts";
import { errnoOf } from "../storage/errno.ts";
import { SeededRandom } from "./seeded-random.ts";

/** As much of a test framework as the suite needs; vitest, jest and node:test with any `expect` have it. */
export interface TestFramework {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
  readonly expect: (actual: unknown) => { toEqual(expected: unknown): void };
}

/** A driver on empty storage; `dispose` clears up after the test. */
export interface ContractSubject {
  readonly driver: StorageDriver;
  readonly dispose?: () => Promise<void>;
}

const HOLDER: LockHolder = { pid: 1, runtime: "contract", version: "1", since: "2020-01-01T00:00:00.000Z", argv: [], hostname: "here" };
const LOCK = { mechanism: "auto", allowNetworkFileSystem: false } as const;

/** Bytes that tell where they stand. */
function pattern(byteLength: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at++) bytes[at] = (at * 31 + (at >>> 8) + salt) & 0xff;
  return bytes;
}

/** The error of a call that must be refused, whether it throws or rejects. */
async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("expected the call to be refused, but it was not");
}

const errno = async (call: () => unknown): Promise<string | null> => errnoOf(await refusal(call));

/** Registers the suite for the driver that `makeSubject` makes anew for every test. */
export function storageContract(name: string, makeSubject: () => Promise<ContractSubject>, { describe, it, expect }: TestFramework): void {
  const promise = (sentence: string, body: (driver: StorageDriver) => Promise<void>): void =>
    it(sentence, async () => {
      const subject = await makeSubject();
      try {
        await body(subject.driver);
      } finally {
        await subject.dispose?.();
      }
    });

  const listed = async (driver: StorageDriver, directory: string): Promise<string[]> =>
    (await driver.list(directory)).map((entry) => `${entry.kind} ${entry.name}`).sort();

  const fileWith = async (driver: StorageDriver, file: string, bytes: Uint8Array): Promise<void> => {
    const handle = await driver.open(file, { create: "if-missing" });
    if (bytes.length > 0) handle.writeAt(bytes, 0);
    await handle.close();
  };

  const contentOf = async (driver: StorageDriver, file: string): Promise<Uint8Array> => {
    const handle = await driver.open(file, { create: "no", readOnly: true });
    const bytes = new Uint8Array(handle.byteLength());
    expect(handle.readAt(bytes, 0)).toEqual(bytes.length);
    await handle.close();
    return bytes;
  };

  describe(`storage contract: ${name}: files`, () => {
    promise("reads back what was written, where it was written", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      expect(file.writeAt(pattern(100), 0)).toEqual(100);
      expect(file.writeAt(pattern(50, 7), 60)).toEqual(50);
      const bytes = new Uint8Array(200);
      expect(file.readAt(bytes, 0)).toEqual(110);
      expect(bytes.subarray(0, 60)).toEqual(pattern(60));
      expect(bytes.subarray(60, 110)).toEqual(pattern(50, 7));
      await file.close();
    });

    promise("fills a read only as far as the file goes, and with nothing behind its end", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(10), 0);
      const bytes = new Uint8Array(8).fill(9);
      expect(file.readAt(bytes, 6)).toEqual(4);
      expect([...bytes.subarray(4)]).toEqual([9, 9, 9, 9]);
      expect(file.readAt(bytes, 10)).toEqual(0);
      expect(file.readAt(bytes, 1_000_000)).toEqual(0);
      await file.close();
    });

    promise("takes a write and a read of no bytes", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      expect(file.writeAt(new Uint8Array(0), 5)).toEqual(0);
      expect(file.byteLength()).toEqual(0);
      expect(file.readAt(new Uint8Array(0), 0)).toEqual(0);
      await file.close();
    });

    promise("writes and reads part of a larger buffer", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      const buffer = pattern(64);
      expect(file.writeAt(buffer.subarray(16, 32), 0)).toEqual(16);
      const into = new Uint8Array(64);
      expect(file.readAt(into.subarray(40, 48), 4)).toEqual(8);
      expect(into.subarray(40, 48)).toEqual(buffer.subarray(20, 28));
      expect([into[39], into[48]]).toEqual([0, 0]);
      await file.close();
    });

    promise("keeps what it was given when the buffer changes afterwards", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      const buffer = pattern(600);
      file.writeAt(buffer, 0);
      buffer.fill(0);
      const bytes = new Uint8Array(600);
      file.readAt(bytes, 0);
      expect(bytes).toEqual(pattern(600));
      await file.close();
    });

    promise("reads a gap as zeros", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(3), 5000);
      expect(file.byteLength()).toEqual(5003);
      const bytes = new Uint8Array(5000).fill(1);
      file.readAt(bytes, 0);
      expect(bytes).toEqual(new Uint8Array(5000));
      await file.close();
    });

    promise("truncates: what is cut is gone, and what grows again is zeros", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(5000), 0);
      file.truncate(1000);
      expect(file.byteLength()).toEqual(1000);
      file.truncate(3000);
      file.writeAt(pattern(1), 4000);
      const bytes = new Uint8Array(4001);
      expect(file.readAt(bytes, 0)).toEqual(4001);
      expect(bytes.subarray(0, 1000)).toEqual(pattern(1000));
      expect(bytes.subarray(1000, 4000)).toEqual(new Uint8Array(3000));
      file.truncate(0);
      expect(file.byteLength()).toEqual(0);
      await file.close();
    });

    promise("writes a mebibyte in one call or answers how much it took", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      const bytes = new SeededRandom(1).bytes(1 << 20);
      let done = 0;
      while (done < bytes.length) done += file.writeAt(bytes.subarray(done), done);
      const back = new Uint8Array(bytes.length);
      expect(file.readAt(back, 0)).toEqual(bytes.length);
      expect(firstDifference(back, bytes)).toEqual(0);
      await file.close();
    });

    promise("agrees with an array of bytes through any history of writes and truncations", async (driver) => {
      const random = new SeededRandom("history");
      let file = await driver.open("d.log", { create: "new" });
      let model = new Uint8Array(0);
      for (let step = 0; step < 200; step++) {
        const position = random.integer(0, 5000);
        const what = random.integer(0, 20);
        if (what < 14) {
          const bytes = random.bytes(random.integer(1, 700));
          expect(file.writeAt(bytes, position)).toEqual(bytes.length);
          const grown = new Uint8Array(Math.max(model.length, position + bytes.length));
          grown.set(model);
          grown.set(bytes, position);
          model = grown;
        } else if (what < 17) {
          file.truncate(position);
          const cut = new Uint8Array(position);
          cut.set(model.subarray(0, position));
          model = cut;
        } else if (what < 18) await file.sync();
        else {
          await file.close();
          file = await driver.open("d.log", { create: "no" });
        }
        const bytes = new Uint8Array(model.length + 10);
        expect(file.readAt(bytes, 0)).toEqual(model.length);
        expect(firstDifference(bytes.subarray(0, model.length), model)).toEqual(0);
      }
      await file.close();
    });

    promise("says when a file was last changed", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(1), 0);
      const ageMs = Math.abs(Date.now() - file.modifiedAt());
      expect(ageMs < 60_000 || ageMs).toEqual(true);
      await file.close();
    });

    promise("refuses a position that is not a whole number from 0", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
        await refusal(() => file.readAt(new Uint8Array(1), position));
        await refusal(() => file.writeAt(new Uint8Array(1), position));
        await refusal(() => file.truncate(position));
      }
      expect(file.byteLength()).toEqual(0);
      await file.close();
    });

    promise("refuses every call on a closed file, and closes twice in peace", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(10), 0);
      const closing = file.close();
      await refusal(() => file.writeAt(pattern(1), 0));
      await closing;
      await file.close();
      await refusal(() => file.readAt(new Uint8Array(1), 0));
      await refusal(() => file.writeAt(pattern(1), 0));
      await refusal(() => file.truncate(0));
      await refusal(() => file.byteLength());
      await refusal(() => file.modifiedAt());
      await refusal(() => file.sync());
      await file.readAhead(0, 10);
      expect(await contentOf(driver, "a.log")).toEqual(pattern(10));
    });

    promise("refuses to change a file that was opened readOnly", async (driver) => {
      await fileWith(driver, "a.log", pattern(10));
      const file = await driver.open("a.log", { create: "no", readOnly: true });
      await refusal(() => file.writeAt(pattern(5, 9), 0));
      await refusal(() => file.truncate(0));
      await file.close();
      expect(await contentOf(driver, "a.log")).toEqual(pattern(10));
    });

    promise("shows one file's bytes to everyone who has it open", async (driver) => {
      const writer = await driver.open("a.log", { create: "new" });
      const reader = await driver.open("a.log", { create: "no", readOnly: true });
      writer.writeAt(pattern(10), 0);
      const bytes = new Uint8Array(10);
      expect(reader.readAt(bytes, 0)).toEqual(10);
      expect(bytes).toEqual(pattern(10));
      await writer.close();
      expect(reader.readAt(bytes, 0)).toEqual(10);
      await reader.close();
    });

    promise("flushes, also many times at once and with a close behind", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(10), 0);
      await Promise.all([file.sync(), file.sync(), file.sync()]);
      file.writeAt(pattern(10), 10);
      const last = file.sync();
      await last;
      await file.close();
    });

    promise("never fails a readAhead, wherever it points", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(5000), 0);
      await file.readAhead(0, 5000);
      await file.readAhead(4000, 1_000_000);
      await file.readAhead(1_000_000, 10);
      await file.readAhead(0, 0);
      await file.close();
    });

    promise("finishes a readAhead under which the file is closed", async (driver) => {
      const file = await driver.open("a.log", { create: "new" });
      file.writeAt(pattern(5000), 0);
      await Promise.all([file.readAhead(0, 5000), file.close()]);
    });
  });

  describe(`storage contract: ${name}: names`, () => {
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
  });

  describe(`storage contract: ${name}: lock`, () => {
    promise("is held by one, and free again after release", async (driver) => {
      const lock = await driver.lock(HOLDER, LOCK);
      expect(lock.stillHeld()).toEqual(true);
      await refusal(() => driver.lock(HOLDER, LOCK));
      await lock.release();
      await lock.release();
      expect(lock.stillHeld()).toEqual(false);
      const again = await driver.lock(HOLDER, LOCK);
      expect(again.stillHeld()).toEqual(true);
      await again.release();
    });

    promise("goes to one of many who come at once", async (driver) => {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => driver.lock(HOLDER, LOCK)));
      const held = results.filter((result) => result.status === "fulfilled");
      expect(held.length).toEqual(1);
      for (const result of held) await result.value.release();
    });

    promise("is not waited for by one who has given up", async (driver) => {
      const reason = new Error("given up");
      expect(await refusal(() => driver.lock(HOLDER, { ...LOCK, signal: AbortSignal.abort(reason) }))).toEqual(reason);
    });
  });
}

/** 0 where equal, else one more than where they differ: comparing large arrays through `expect` takes seconds. */
function firstDifference(left: Uint8Array, right: Uint8Array): number {
  if (left.length !== right.length) return -1;
  return left.findIndex((byte, at) => byte !== right[at]) + 1;
}
