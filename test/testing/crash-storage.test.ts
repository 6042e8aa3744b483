/** The simulated disk against its own laws: what is flushed outlives every crash, what is not may go in any way there is. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import type { CrashPolicy } from "../../src/testing/crash-choosers.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { FILES, SECTOR, step, take } from "./disk-steps.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));

/** What every file holds now, by name. */
async function contents(driver: StorageDriver): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const visit = async (directory: string): Promise<void> => {
    for (const entry of await driver.list(directory)) {
      const name = directory === "" ? entry.name : `${directory}/${entry.name}`;
      if (entry.kind === "directory") {
        files[`${name}/`] = "";
        await visit(entry.name);
        continue;
      }
      const file = await driver.open(name, { create: "no", readOnly: true });
      const bytes = new Uint8Array(file.byteLength());
      file.readAt(bytes, 0);
      await file.close();
      files[name] = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
  };
  await visit("");
  return files;
}

async function write(driver: StorageDriver, name: string, text: string, position = 0, sync = false): Promise<void> {
  const file = await driver.open(name, { create: "if-missing" });
  file.writeAt(bytesOf(text), position);
  if (sync) await file.sync();
  await file.close();
}

/** Every text that `name` may hold after a crash now; null where it may be gone. */
function outcomes(storage: CrashStorage, name: string, limit = 10_000): Set<string | null> {
  expect(storage.countCrashes(limit)).toBeLessThanOrEqual(limit);
  return new Set([...storage.enumerateCrashes(limit)].map((after) => textOf(after.peek(name))));
}

/** Makes everything there is durable. */
async function syncAll(driver: StorageDriver): Promise<void> {
  for (const directory of ["", "d"]) {
    for (const entry of await driver.list(directory)) {
      if (entry.kind === "directory") continue;
      const handle = await driver.open(directory === "" ? entry.name : `${directory}/${entry.name}`, { create: "no" });
      await handle.sync();
      await handle.close();
    }
    await driver.syncDirectory(directory);
  }
}

async function disk(): Promise<CrashStorage> {
  const storage = crashStorage({ sectorByteLength: SECTOR });
  await storage.createDirectory("d");
  await storage.syncDirectory("");
  return storage;
}

describe("a disk that never crashes", () => {
  it("holds what memory holds, through any history", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const [simulated, plain] = [await disk(), memory()];
        await plain.createDirectory("d");
        for (const one of steps) for (const driver of [simulated, plain]) await take(driver, one);
        expect(await contents(simulated)).toEqual(await contents(plain));
      }),
      { numRuns: 150 },
    );
  });
});

describe("a disk that never crashes, beside a real one", () => {
  it("holds what the real one holds, through any history", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const directory = await mkdtemp(join(tmpdir(), "odradek-fidelity-"));
        try {
          const [simulated, real] = [await disk(), nodeStorage(directory)];
          await real.createDirectory("d");
          for (const one of steps) for (const driver of [simulated, real]) await take(driver, one);
          expect(sorted(JSON.stringify(await contents(simulated)))).toBe(sorted(JSON.stringify(await contents(real))));
        } finally {
          await rm(directory, { recursive: true });
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("what was flushed", () => {
  it("outlives every crash, whatever came after or before", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
        const storage = await disk();
        for (const one of steps) await take(storage, one);
        await syncAll(storage);
        const before = await contents(storage);
        const after = storage.crash(new SeededRandom(seed));
        expect(await contents(after)).toEqual(before);
      }),
      { numRuns: 150 },
    );
  });

  it("outlives in its own sectors while the ones around it are being written", async () => {
    const random = new SeededRandom("neighbours");
    for (let run = 0; run < 100; run++) {
      const storage = await disk();
      await write(storage, "a", "x".repeat(3 * SECTOR), 0, true);
      await storage.syncDirectory("");
      await write(storage, "a", "y".repeat(SECTOR), SECTOR);
      const after = textOf(storage.crash(random).peek("a"))!;
      expect(after.slice(0, SECTOR)).toBe("x".repeat(SECTOR));
      expect(after.slice(2 * SECTOR)).toBe("x".repeat(SECTOR));
      expect([..."xy"].map((letter) => letter.repeat(SECTOR))).toContain(after.slice(SECTOR, 2 * SECTOR));
    }
  });

  it("does not include what was written after the flush began", async () => {
    let resume = (): void => {};
    const storage = crashStorage({
      sectorByteLength: SECTOR,
      latency: (call) => (call === "sync" ? new Promise((resolve) => (resume = resolve)) : Promise.resolve()),
    });
    const handle = await storage.open("a", { create: "new" });
    await storage.syncDirectory("");
    handle.writeAt(bytesOf("1".repeat(SECTOR)), 0);
    const syncing = handle.sync();
    handle.writeAt(bytesOf("2".repeat(SECTOR)), SECTOR);
    resume();
    await syncing;
    const first = "1".repeat(SECTOR);
    expect(outcomes(storage, "a")).toContain(first);
    for (const text of outcomes(storage, "a")) expect(text!.startsWith(first)).toBe(true);
  });
});

describe("what was not flushed", () => {
  it("may go or stay by sectors, with the size before the bytes and any fill", async () => {
    const storage = await disk();
    await write(storage, "a", "", 0, true);
    await storage.syncDirectory("");
    await write(storage, "a", "1".repeat(SECTOR) + "2".repeat(SECTOR));
    const seen = outcomes(storage, "a");
    const zeros = "\0".repeat(SECTOR);
    expect(seen).toContain("");
    expect(seen).toContain("1".repeat(SECTOR) + "2".repeat(SECTOR));
    expect(seen).toContain(zeros + "2".repeat(SECTOR));
    expect(seen).toContain("1".repeat(SECTOR) + zeros);
    expect(seen).toContain(zeros + zeros);
    // Two sectors, each written or zeros or garbage, and the empty file: all of them and no more.
    expect(seen.size).toBe(3 * 3 + 1);
  });

  it("may be read as what another file held there before", async () => {
    const storage = await disk();
    await write(storage, "old", "o".repeat(SECTOR), 0, true);
    await storage.remove("old");
    await write(storage, "a", "n".repeat(SECTOR));
    expect(outcomes(storage, "a")).toContain("o".repeat(SECTOR));
  });

  it("brings back the tail that a truncation cut off, behind what was written since", async () => {
    const storage = await disk();
    await write(storage, "a", "1".repeat(SECTOR) + "2".repeat(SECTOR) + "3".repeat(SECTOR), 0, true);
    await storage.syncDirectory("");
    const handle = await storage.open("a", { create: "no" });
    handle.truncate(SECTOR);
    handle.writeAt(bytesOf("n".repeat(SECTOR)), SECTOR);
    const zombie = "1".repeat(SECTOR) + "n".repeat(SECTOR) + "3".repeat(SECTOR);
    expect(outcomes(storage, "a")).toContain(zombie);
    await handle.sync();
    expect([...outcomes(storage, "a")]).toEqual(["1".repeat(SECTOR) + "n".repeat(SECTOR)]);
  });

  it("is a name as much as bytes: a flushed file is gone without its directory's flush", async () => {
    const storage = await disk();
    await write(storage, "d/a", "kept", 0, true);
    expect(outcomes(storage, "d/a")).toEqual(new Set([null, "kept"]));
    await storage.syncDirectory("d");
    expect(outcomes(storage, "d/a")).toEqual(new Set(["kept"]));
  });

  it("is a whole directory where its own name was not flushed", async () => {
    const storage = await disk();
    await storage.createDirectory("e");
    await write(storage, "e/a", "kept", 0, true);
    await storage.syncDirectory("e");
    expect(outcomes(storage, "e/a")).toEqual(new Set([null, "kept"]));
    await storage.syncDirectory("");
    expect(outcomes(storage, "e/a")).toEqual(new Set(["kept"]));
  });

  it("lets a removed file return until the directory is flushed", async () => {
    const storage = await disk();
    await write(storage, "a", "back", 0, true);
    await storage.syncDirectory("");
    await storage.remove("a");
    expect(outcomes(storage, "a")).toEqual(new Set([null, "back"]));
    await storage.syncDirectory("");
    expect(outcomes(storage, "a")).toEqual(new Set([null]));
  });

  it("leaves the old file or the new one after a rename, never neither; the name it had goes with it, or stays for the same file", async () => {
    const storage = await disk();
    await write(storage, "book", "old", 0, true);
    await storage.syncDirectory("");
    await write(storage, "book.tmp", "new", 0, true);
    await storage.replace("book.tmp", "book");
    expect(outcomes(storage, "book")).toEqual(new Set(["old", "new"]));
    const left = [...storage.enumerateCrashes(100)].map((after) => `${textOf(after.peek("book"))} ${textOf(after.peek("book.tmp"))}`);
    expect(left.sort()).toEqual(["new new", "new null", "old new", "old null"]);
    await storage.syncDirectory("");
    expect(outcomes(storage, "book.tmp")).toEqual(new Set([null]));
  });

  it("shows the file that was renamed without a flush of its bytes as empty or worse", async () => {
    const storage = await disk();
    await write(storage, "book", "old", 0, true);
    await storage.syncDirectory("");
    await write(storage, "book.tmp", "newer");
    await storage.replace("book.tmp", "book");
    await storage.syncDirectory("");
    expect(outcomes(storage, "book")).toContain("");
    expect(outcomes(storage, "book")).not.toContain("old");
  });

  it("may be torn inside a sector when the disk is said to do so", async () => {
    const random = new SeededRandom("torn");
    let torn = 0;
    for (let run = 0; run < 200; run++) {
      const storage = await disk();
      await write(storage, "a", "x".repeat(SECTOR), 0, true);
      await storage.syncDirectory("");
      await write(storage, "a", "y".repeat(SECTOR));
      if (/^y+x+$/.test(textOf(storage.crash(random, { survival: "scatter", tornSectors: true }).peek("a"))!)) torn++;
    }
    expect(torn).toBeGreaterThan(0);
  });
});

describe("a crash", () => {
  const history = fc.array(step, { maxLength: 30 });

  it("is repeatable: the same seed leaves the same disk", async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (steps, seed) => {
        const [one, other] = [await disk(), await disk()];
        for (const driver of [one, other]) for (const each of steps) await take(driver, each);
        expect(await contents(one.crash(new SeededRandom(seed)))).toEqual(await contents(other.crash(new SeededRandom(seed))));
      }),
      { numRuns: 60 },
    );
  });

  it("leaves the newest state, the durable one or a moment between, when the policy says so", async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (steps, seed) => {
        const storage = await disk();
        const moments = [JSON.stringify(await contents(storage))];
        for (const one of steps) {
          // A step may change twice: making a file, and writing to it.
          const name = FILES[one.file]!;
          if (one.do === "write" || one.do === "truncate" || one.do === "sync")
            await (await storage.open(name, { create: "if-missing" })).close();
          moments.push(JSON.stringify(await contents(storage)));
          await take(storage, one);
          moments.push(JSON.stringify(await contents(storage)));
        }
        const left = async (policy: CrashPolicy): Promise<string> =>
          JSON.stringify(await contents(storage.crash(new SeededRandom(seed), policy)));
        const newest = await crashedContents(storage, "everything");
        expect(newest).toBe(sorted(moments.at(-1)!));
        if (!steps.some((one) => one.do === "sync" || one.do === "syncDirectory")) {
          expect(moments.map(sorted)).toContain(sorted(await left({ survival: "prefix" })));
          expect(sorted(await left({ survival: "nothing" }))).toBe(sorted(moments[0]!));
        }
      }),
      { numRuns: 100 },
    );
  });

  it("by chance leaves only what the exhaustive search knows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 4 }), fc.nat(), async (steps, seed) => {
        const storage = await disk();
        for (const one of steps) await take(storage, one);
        const limit = 3000;
        fc.pre(storage.countCrashes(limit) <= limit);
        const known = new Set<string>();
        for (const after of storage.enumerateCrashes(limit)) known.add(sorted(JSON.stringify(await contents(after))));
        const after = storage.crash(new SeededRandom(seed), { fill: "zero" });
        expect(known).toContain(sorted(JSON.stringify(await contents(after))));
      }),
      { numRuns: 60 },
    );
  });

  it("can be followed by another on the disk it left", async () => {
    const storage = await disk();
    await write(storage, "a", "first", 0, true);
    await storage.syncDirectory("");
    let next = storage.crash(new SeededRandom(1));
    for (let depth = 0; depth < 5; depth++) {
      await write(next, "a", `depth ${depth}`, 5 + depth * 7, true);
      await write(next, "b", "unflushed");
      next = next.crash(new SeededRandom(depth), { survival: "nothing" });
    }
    expect(textOf(next.peek("a"))).toBe("firstdepth 0depth 1depth 2depth 3depth 4");
    expect(next.peek("b")).toBe(null);
  });

  it("of the process alone loses nothing, and makes nothing durable either", async () => {
    const storage = await disk();
    await write(storage, "a", "written");
    const after = storage.crash(new SeededRandom(0), { kind: "process" });
    expect(textOf(after.peek("a"))).toBe("written");
    expect(after.crash(new SeededRandom(0), { survival: "nothing" }).peek("a")).toBe(null);
  });

  it("ends the old disk and drops its lock", async () => {
    const storage = await disk();
    const handle = await storage.open("a", { create: "new" });
    const lock = await storage.lock(HOLDER, { mechanism: "auto", allowNetworkFileSystem: false });
    storage.crash();
    expect(lock.stillHeld()).toBe(false);
    expect(() => handle.writeAt(bytesOf("late"), 0)).toThrow("ESHUTDOWN");
    await expect(handle.sync()).rejects.toThrow("ESHUTDOWN");
    await expect(storage.list("")).rejects.toThrow("ESHUTDOWN");
  });
});

describe("a disk that is watched", () => {
  it("tells of each change and flush just before it, and may be looked at then", async () => {
    const storage = await disk();
    const story: string[] = [];
    storage.watch(
      (call, name) => void story.push(`${call} ${name}: ${textOf(storage.afterCrash(undefined, { survival: "everything" }).peek("a"))}`),
    );
    await write(storage, "a", "1", 0, true);
    await storage.syncDirectory("");
    await storage.remove("a");
    expect(story).toEqual(["open a: null", "writeAt a: ", "sync a: 1", "syncDirectory : 1", "remove a: 1"]);
    storage.watch(null);
    await write(storage, "a", "2");
    expect(story.length).toBe(5);
  });

  it("and of which an image is made goes on as if nothing had happened, and neither sees what the other does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), fc.nat(), async (steps, later, seed) => {
        const [storage, alone] = [await disk(), await disk()];
        for (const one of steps) for (const each of [storage, alone]) await take(each, one);
        const image = storage.afterCrash(new SeededRandom(seed), { kind: seed % 4 === 0 ? "process" : "power" });
        const left = await contents(image);
        for (const one of later) for (const each of [storage, alone]) await take(each, one);
        expect(await contents(image)).toEqual(left);
        expect(await contents(storage)).toEqual(await contents(alone));
        const before = await contents(storage);
        for (const one of later) if (left["d/"] !== undefined) await take(image, one);
        expect(await contents(storage)).toEqual(before);
        for (const policy of [{ survival: "nothing" }, { survival: "everything" }] as const)
          expect(await contents(storage.afterCrash(undefined, policy))).toEqual(await contents(alone.afterCrash(undefined, policy)));
      }),
      { numRuns: 100 },
    );
  });
});

describe("a fingerprint", () => {
  it("is the same for disks that read the same, whatever was flushed, and another for any other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.array(step, { maxLength: 12 }), async (steps, others) => {
        const [one, other] = [await disk(), await disk()];
        for (const each of steps) await take(one, each);
        for (const each of others) await take(other, each);
        const isSame = sorted(JSON.stringify(await contents(one))) === sorted(JSON.stringify(await contents(other)));
        expect(one.fingerprint() === other.fingerprint()).toBe(isSame);
        const before = one.fingerprint();
        await syncAll(one);
        expect(one.fingerprint()).toBe(before);
        expect(one.afterCrash(new SeededRandom(1)).fingerprint()).toBe(before);
        await write(one, "a", "another byte", 3);
        expect(one.fingerprint()).not.toBe(before);
      }),
      { numRuns: 150 },
    );
  });
});

describe("too many ways to crash", () => {
  it("are cut off at the limit, with nothing, everything and each moment among them", async () => {
    const storage = await disk();
    for (let at = 0; at < 20; at++) await write(storage, "a", String(at % 10).repeat(SECTOR), at * SECTOR);
    expect(storage.countCrashes(500)).toBe(501);
    const seen = [...storage.enumerateCrashes(500)].map((after) => after.peek("a")?.length ?? null);
    expect(seen.length).toBe(500);
    expect(seen[0]).toBe(null);
    expect(seen[1]).toBe(20 * SECTOR);
    for (let at = 1; at <= 20; at++) expect(seen).toContain(at * SECTOR);
  });
});

const HOLDER = { pid: 1, runtime: "test", version: "1", since: "", argv: [], hostname: "" };

/** The same facts in one order: directories list as they like. */
function sorted(json: string): string {
  return JSON.stringify(Object.entries(JSON.parse(json) as Record<string, string>).sort());
}

async function crashedContents(storage: CrashStorage, survival: "everything"): Promise<string> {
  return sorted(JSON.stringify(await contents(storage.crash(new SeededRandom(0), { survival }))));
}
