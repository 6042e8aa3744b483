/** The fence: whole writes, nothing after close, no second try of a failed flush, and a bounded number of flushes at once. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { StorageError, UsageError } from "../../src/base/errors.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { Gate } from "../../src/storage/gate.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { type Fault, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

async function refusal(call: () => unknown): Promise<StorageError> {
  try {
    await call();
  } catch (error) {
    return error as StorageError;
  }
  throw new Error("expected a refusal");
}

const bytes = (byteLength: number): Uint8Array => Uint8Array.from({ length: byteLength }, (_, at) => at % 251);

describe("a write behind the fence", () => {
  it("is whole, whatever short counts the system answers with", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 99 }), { maxLength: 12 }), fc.integer({ min: 1, max: 100 }), async (shorts, byteLength) => {
        const faulty = faultyStorage(memory());
        for (const [at, shortBy] of shorts.entries())
          faulty.fail({ call: ["writeAt", "readAt"], nth: at + 1, shortBy: Math.min(shortBy, byteLength - 1) });
        const file = await fenced(faulty).open("a", { create: "new" });
        // A short count of the whole rest is "no progress", which is another promise: here something is taken each time.
        fc.pre(shorts.every((shortBy) => shortBy === 0) || byteLength > 1);
        try {
          expect(file.writeAt(bytes(byteLength), 3)).toBe(byteLength);
        } catch (error) {
          expect((error as StorageError).code).toBe("STORAGE_FULL");
          return;
        }
        faulty.mend();
        const back = new Uint8Array(byteLength);
        expect(file.readAt(back, 3)).toBe(byteLength);
        expect(back).toEqual(bytes(byteLength));
      }),
    );
  });

  it("never asks a driver for more than a mebibyte at once", async () => {
    const asked: number[] = [];
    const driver = memory();
    const spy: StorageDriver = Object.create(driver, {
      open: {
        value: async (...given: Parameters<StorageDriver["open"]>) => {
          const file = await driver.open(...given);
          const writeAt = file.writeAt.bind(file);
          file.writeAt = (chunk, position) => {
            asked.push(chunk.length);
            return writeAt(chunk, position);
          };
          return file;
        },
      },
    });
    const file = await fenced(spy).open("a", { create: "new" });
    const large = bytes(2.5 * 2 ** 20);
    expect(file.writeAt(large, 0)).toBe(large.length);
    expect(asked).toEqual([2 ** 20, 2 ** 20, 2 ** 19]);
    const back = new Uint8Array(large.length);
    expect(file.readAt(back, 0)).toBe(large.length);
    expect(Buffer.compare(back, large)).toBe(0);
  });

  it("that makes no progress is a full disk, not an endless loop", async () => {
    const file = await fenced(
      faultyStorage(memory(), { faults: [{ call: "writeAt", shortBy: 1000, times: Number.POSITIVE_INFINITY }] }),
    ).open("a", { create: "new" });
    const error = await refusal(() => file.writeAt(bytes(10), 0));
    expect(error.code).toBe("STORAGE_FULL");
    expect(error.retriable).toBe(true);
  });
});

describe("a refusal", () => {
  const cases: readonly (readonly [errno: string, code: string, retriable: boolean])[] = [
    ["ENOSPC", "STORAGE_FULL", true],
    ["EDQUOT", "STORAGE_FULL", true],
    ["EFBIG", "STORAGE_FULL", true],
    ["EMFILE", "TOO_MANY_OPEN_FILES", true],
    ["ENFILE", "TOO_MANY_OPEN_FILES", true],
    ["EACCES", "PERMISSION_DENIED", false],
    ["EPERM", "PERMISSION_DENIED", false],
    ["EROFS", "PERMISSION_DENIED", false],
    ["ENOENT", "FILE_NOT_FOUND", false],
    ["ENOTDIR", "NOT_A_DIRECTORY", false],
    ["EIO", "STORAGE_FAILED", false],
    ["EWHATEVER", "STORAGE_FAILED", false],
  ];
  it.each(cases)(
    "with %s is a StorageError %s, on every call, with the file's name and the system's error in it",
    async (errno, code, retriable) => {
      const faulty = faultyStorage(memory());
      const driver = fenced(faulty);
      await driver.createDirectory("d");
      const file = await driver.open("d/a.log", { create: "new" });
      const calls: readonly (readonly [Fault["call"], () => unknown])[] = [
        ["readAt", () => file.readAt(new Uint8Array(1), 0)],
        ["writeAt", () => file.writeAt(bytes(1), 0)],
        ["truncate", () => file.truncate(0)],
        ["byteLength", () => file.byteLength()],
        ["modifiedAt", () => file.modifiedAt()],
        ["open", () => driver.open("d/a.log", { create: "no" })],
        ["list", () => driver.list("d/a.log")],
        ["remove", () => driver.remove("d/a.log")],
        ["replace", () => driver.replace("d/a.tmp", "d/a.log")],
        ["syncDirectory", () => driver.syncDirectory("d/a.log")],
        ["sync", () => file.sync()],
        ["closeFile", () => file.close()],
      ];
      for (const [call, make] of calls) {
        faulty.fail({ call: call as string as "open", errno });
        const error = await refusal(make);
        expect(error, String(call)).toBeInstanceOf(StorageError);
        expect([error.code, error.retriable], String(call)).toEqual([code, retriable]);
        expect(error.message).toContain("d/a.log");
        expect((error.cause as { code: string }).code).toBe(errno);
      }
    },
  );

  it("of an aborted lock is the reason that was given", async () => {
    const reason = new Error("enough");
    expect(await refusal(() => fenced(memory()).lock(HOLDER, { ...LOCK, signal: AbortSignal.abort(reason) }))).toBe(reason);
  });
});

describe("a closed fence", () => {
  it("refuses every call with STORAGE_CLOSED, of files still open too, whose close goes on working", async () => {
    const faulty = faultyStorage(memory());
    const driver = fenced(faulty);
    const file = await driver.open("a", { create: "new" });
    await driver.close();
    await driver.close();
    const before = faulty.count();
    const calls = [
      () => driver.open("a", { create: "no" }),
      () => driver.list(""),
      () => driver.createDirectory("d"),
      () => driver.removeDirectory("d"),
      () => driver.replace("a", "b"),
      () => driver.renameDirectory("a", "b"),
      () => driver.remove("a"),
      () => driver.syncDirectory(""),
      () => driver.lock(HOLDER, LOCK),
      () => file.readAt(new Uint8Array(1), 0),
      () => file.writeAt(bytes(1), 0),
      () => file.truncate(0),
      () => file.byteLength(),
      () => file.modifiedAt(),
      () => file.sync(),
    ];
    for (const call of calls) expect((await refusal(call)).code).toBe("STORAGE_CLOSED");
    await file.readAhead(0, 1);
    expect(faulty.count()).toBe(before);
    await file.close();
    expect(faulty.count("closeFile")).toBe(1);
  });

  it("waits for calls in flight before the driver is closed", async () => {
    const clock = new ManualClock();
    const faulty = faultyStorage(memory(), { clock, latencyMs: () => 100 });
    const driver = fenced(faulty);
    const story: string[] = [];
    const making = driver.createDirectory("d").then(() => story.push("made"));
    const closing = driver.close().then(() => story.push("closed"));
    await clock.advance(100);
    await Promise.all([making, closing]);
    expect(story).toEqual(["made", "closed"]);
  });
});

describe("a file's close", () => {
  it("waits for its flushes and readAheads, and refuses what comes after it", async () => {
    const clock = new ManualClock();
    const faulty = faultyStorage(memory(), { clock, latencyMs: (call) => (call === "sync" ? 100 : call === "readAhead" ? 50 : 0) });
    const file = await fenced(faulty).open("a", { create: "new" });
    const story: string[] = [];
    const flushing = [file.sync(), file.sync()].map((one, at) => one.then(() => story.push(`flush ${at}`)));
    const reading = file.readAhead(0, 10).then(() => story.push("read"));
    const closing = file.close().then(() => story.push("closed"));
    expect((await refusal(() => file.writeAt(bytes(1), 0))).code).toBe("STORAGE_CLOSED");
    expect((await refusal(() => file.sync())).code).toBe("STORAGE_CLOSED");
    await clock.advance(200);
    await Promise.all([...flushing, reading, closing]);
    expect(story).toEqual(["read", "flush 0", "flush 1", "closed"]);
  });
});

describe("a failed flush", () => {
  it("ends the file for writing for good, and is never tried again; reads go on", async () => {
    const faulty = faultyStorage(memory());
    const file = await fenced(faulty).open("a", { create: "new" });
    file.writeAt(bytes(10), 0);
    faulty.fail({ call: "sync", errno: "EIO" });
    const [first, waiting] = await Promise.all([refusal(() => file.sync()), refusal(() => file.sync())]);
    expect(first.code).toBe("STORAGE_FAILED");
    expect(waiting).toBe(first);
    for (const call of [() => file.sync(), () => file.writeAt(bytes(1), 0), () => file.truncate(0)])
      expect(await refusal(call)).toBe(first);
    expect(faulty.count("sync")).toBe(1);
    expect(faulty.count("writeAt")).toBe(1);
    const back = new Uint8Array(10);
    expect(file.readAt(back, 0)).toBe(10);
    await file.close();
  });

  it("gives its place at the door back", async () => {
    const faulty = faultyStorage(memory());
    const syncGate = new Gate(1);
    const driver = fenced(faulty, { syncGate });
    for (let turn = 0; turn < 3; turn++) {
      const file = await driver.open("a", { create: "if-missing" });
      faulty.fail({ call: "sync", errno: "EIO" });
      await Promise.all([refusal(() => file.sync()), refusal(() => file.sync())]);
      await file.close();
    }
    expect([syncGate.taken, syncGate.waitingCount]).toEqual([0, 0]);
  });
});

describe("flushes", () => {
  it("of one file that come while one runs share the next, which covers what was written before it began", async () => {
    const clock = new ManualClock();
    const faulty = faultyStorage(crashStorage(), { clock, latencyMs: (call) => (call === "sync" ? 10 : 0) });
    const file = await fenced(faulty).open("a", { create: "new" });
    const first = file.sync();
    const rest = Array.from({ length: 50 }, () => file.sync());
    expect(new Set(rest).size).toBe(1);
    await clock.advance(20);
    await Promise.all([first, ...rest]);
    expect(faulty.count("sync")).toBe(2);
  });

  it("of one directory that come while one runs share the next, and one that failed is told to its own callers alone", async () => {
    const clock = new ManualClock();
    const faulty = faultyStorage(memory(), { clock, latencyMs: (call) => (call === "syncDirectory" ? 10 : 0) });
    const syncGate = new Gate(3);
    const driver = fenced(faulty, { syncGate });
    await driver.createDirectory("other");
    faulty.fail({ call: "syncDirectory", errno: "EIO" });
    const first = refusal(() => driver.syncDirectory(""));
    await settled();
    const rest = Array.from({ length: 50 }, () => driver.syncDirectory(""));
    const beside = driver.syncDirectory("other");
    await clock.advance(10);
    await Promise.all([first, beside]);
    expect((await first).code).toBe("STORAGE_FAILED");
    expect(faulty.count("syncDirectory")).toBe(3);
    await clock.advance(10);
    await Promise.all(rest);
    expect(faulty.count("syncDirectory")).toBe(3);
    expect([syncGate.taken, syncGate.waitingCount]).toEqual([0, 0]);
  });

  it("are in flight only so many at once, and no file waits for another's second", async () => {
    const clock = new ManualClock();
    let inFlight = 0;
    let inFlightMax = 0;
    const order: string[] = [];
    const faulty = faultyStorage(memory(), {
      clock,
      latencyMs: (call, name) => {
        if (call !== "sync") return 0;
        order.push(name);
        inFlightMax = Math.max(inFlightMax, ++inFlight);
        clock.after(10, () => inFlight--);
        return 10;
      },
    });
    const driver = fenced(faulty, { syncGate: new Gate(2) });
    const files = await Promise.all(Array.from({ length: 6 }, (_, at) => driver.open(`f${at}`, { create: "new" })));
    const busy = files[0]!;
    const flushes = [busy.sync(), busy.sync(), ...files.slice(1).map((file) => file.sync())];
    for (let turn = 0; turn < 10; turn++) await clock.advance(10);
    await Promise.all(flushes);
    expect(inFlightMax).toBe(2);
    expect(order).toHaveLength(7);
    expect(new Set(order.slice(0, 6)).size).toBe(6);
    expect(order[6]).toBe("f0");
  });
});

describe("a read-only fence", () => {
  it("refuses every change before the driver is asked, and reads", async () => {
    const inner = faultyStorage(memory());
    const seed = await inner.open("a", { create: "new" });
    seed.writeAt(bytes(5), 0);
    const before = inner.count();
    const driver = fenced(inner, { readOnly: true });
    const calls = [
      () => driver.open("b", { create: "new" }),
      () => driver.createDirectory("d"),
      () => driver.removeDirectory("d"),
      () => driver.replace("a", "b"),
      () => driver.renameDirectory("a", "b"),
      () => driver.remove("a"),
    ];
    for (const call of calls) {
      const error = await refusal(call);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.code).toBe("READ_ONLY");
    }
    expect(inner.count()).toBe(before);
    expect((await refusal(() => driver.open("b", { create: "if-missing" }))).code).toBe("FILE_NOT_FOUND");
    const file = await driver.open("a", { create: "if-missing" });
    expect((await refusal(() => file.writeAt(bytes(1), 0))).code).toBe("READ_ONLY");
    expect((await refusal(() => file.truncate(0))).code).toBe("READ_ONLY");
    expect(file.byteLength()).toBe(5);
    await driver.syncDirectory("");
    expect(inner.count("syncDirectory")).toBe(0);
  });
});

describe("a gate", () => {
  it("never lets more through than it has places, loses nobody, and keeps the order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 20 }),
        fc.infiniteStream(fc.nat({ max: 3 })),
        async (places, comers, holds) => {
          const gate = new Gate(places);
          const entered: number[] = [];
          let inside = 0;
          await Promise.all(
            Array.from({ length: comers }, async (_, at) => {
              await gate.enter();
              entered.push(at);
              expect(++inside).toBeLessThanOrEqual(places);
              for (let turn = holds.next().value; turn > 0; turn--) await settled();
              inside--;
              gate.leave();
            }),
          );
          expect(entered).toEqual(Array.from({ length: comers }, (_, at) => at));
          expect([gate.taken, gate.waitingCount]).toEqual([0, 0]);
        },
      ),
      { numRuns: 50 },
    );
  });
});

const HOLDER = { pid: 1, runtime: "test", version: "1", since: "", argv: [], hostname: "" };
const LOCK = { mechanism: "auto", allowNetworkFileSystem: false } as const;

describe("a read behind the fence", () => {
  // A driver that answers 0 in the middle of a file says that it ends there. Recovery believed it, and cut an "os" log that was whole.
  it("does not take nothing for the end of a file that is longer: it asks again, and then refuses", async () => {
    const faulty = faultyStorage(memory());
    const file = await fenced(faulty, { syncGate: new Gate(1) }).open("a", { create: "new" });
    file.writeAt(bytes(10), 0);
    const into = new Uint8Array(10);
    faulty.fail({ call: "readAt", atMost: 0, times: 2 });
    expect(file.readAt(into, 0)).toBe(10);
    expect(into).toEqual(bytes(10));
    faulty.fail({ call: "readAt", atMost: 0, times: Number.POSITIVE_INFINITY });
    const error = await refusal(() => file.readAt(into, 2));
    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toContain("0 of 10 bytes were given at 2");
    expect(file.readAt(into, 10)).toBe(0);
  });
});
