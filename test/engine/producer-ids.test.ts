/** Producer ids: each given once in the life of a directory, whoever wrote it before, and wherever the machine dies while they are reserved. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory, nodeStorage } from "../../src/index.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { type Life, openEngine, watched } from "../simulation/engine-rig.ts";
import { committedOffset, TestProducer, unstable } from "../simulation/transaction-rig.ts";

const fresh = (life: Life) => life.engine.initProducerId({ transactionalId: null, transactionTimeoutMs: 0 });

async function idempotent(life: Life, producerId: bigint): Promise<void> {
  life.engine.core.writer.begin({ producerId, producerEpoch: 0, baseSequence: 0, transactional: false });
  life.engine.core.writer.append(null, new Uint8Array(1), null, life.clock.now());
  await life.engine.produce({ topic: "orders", partition: 0, batch: life.engine.core.writer.finish(), acks: "all" });
}

describe("producer ids", () => {
  it("begin above every id that stands in a log, though the catalogue knows of none", async () => {
    const storage = memory();
    const life = await openEngine(storage);
    await life.engine.createTopic({ topic: "orders", partitions: 1, config: {} });
    for (const producerId of [0n, 5n, 3n]) await idempotent(life, producerId);
    expect((await fresh(life)).producerId).toBe(6n);
    await life.engine.close();
    const again = await openEngine(storage);
    expect((await fresh(again)).producerId).toBeGreaterThan(6n);
    await again.engine.close();
  });

  it("go on behind the last block when a directory is opened again, in order or not", async () => {
    let disk: CrashStorage = crashStorage();
    const given = new Set<bigint>();
    for (let round = 0; round < 6; round += 1) {
      const life = await openEngine(disk);
      for (let count = 0; count < 3; count += 1) {
        const { producerId } = await fresh(life);
        expect(given.has(producerId), `${producerId} for the second time`).toBe(false);
        given.add(producerId);
      }
      if (round % 2 === 0) await life.engine.close();
      disk = disk.crash(undefined, { kind: round % 3 === 0 ? "process" : "power" });
    }
  });

  it("are never given twice, whichever step of reserving them the machine dies at, and however", async () => {
    let points = 0;
    for (let call = 1; ; call += 1) {
      const disk = crashStorage({ sectorByteLength: 64 });
      const before = await openEngine(disk);
      await fresh(before);
      await before.engine.close();
      const second = disk.crash(undefined, { kind: "process" });
      let callsLeft = Number.POSITIVE_INFINITY;
      const storage = watched(second, () => {
        callsLeft -= 1;
        if (callsLeft === 0) second.halt();
      });
      const life = await openEngine(storage);
      callsLeft = call;
      const given: bigint[] = [0n];
      // A block, its last id, and the beginning of the next.
      try {
        for (let count = 0; count < 1001; count += 1) given.push((await fresh(life)).producerId);
      } catch (error) {
        if (callsLeft > 0) throw error;
      }
      if (callsLeft > 0) break;
      points += 1;
      for (const crashed of [...second.enumerateCrashes(12), second.crash(undefined, { kind: "process" })]) {
        const next = await openEngine(crashed);
        expect(given, `call ${call}`).not.toContain((await fresh(next)).producerId);
        await next.engine.close();
      }
    }
    expect(points).toBeGreaterThan(5);
  });
});

function contents(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    if (statSync(path).isFile()) found[name] = readFileSync(path, "base64");
  }
  return found;
}

describe("a close", () => {
  it("waits for a block that is being reserved: nothing is written when the lock is free", async () => {
    const disk = memory();
    const slow: StorageDriver = new Proxy(disk, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (key === "replace") {
          return async (from: string, to: string): Promise<void> => {
            if (to.endsWith("odradek.json")) await new Promise((resolve) => setTimeout(resolve, 30));
            await target.replace(from, to);
          };
        }
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const life = await openEngine(slow);
    let answer = "none";
    fresh(life).then(
      () => {
        answer = "an id";
      },
      (error: { code: string }) => {
        answer = error.code;
      },
    );
    await life.engine.close();
    expect(answer).toBe("an id");
  });
});

describe("a broker's directory", () => {
  const data = fileURLToPath(new URL("../fixtures/broker/data", import.meta.url));

  it("with its transactions: states of version 1 are read, ids go on above its own, and its adopted topics are ended when they are ours", async () => {
    const directory = mkdtempSync(join(tmpdir(), "odradek-txn-"));
    try {
      cpSync(data, directory, { recursive: true });
      const life = await openEngine(nodeStorage(directory));
      // What the broker said: producer ids up to 18 were given.
      expect((await fresh(life)).producerId).toBeGreaterThanOrEqual(19n);
      expect(await committedOffset(life, "their-group", "their-accounts", 0)).toBe(7);
      expect(await committedOffset(life, "their-group", "their-accounts", 1)).toBe(3);
      const theirs = new TestProducer(life, "their-first");
      // Left at epoch 5: the next one's is higher, whoever asks.
      await theirs.init();
      expect(theirs.identity).toEqual({ producerId: 6n, producerEpoch: 6 });
      // One was left open in a topic that is not ours to change, with offsets that pend.
      const late = life.events.filter(({ type }) => type === "transaction.late");
      expect(late).toMatchObject([{ transactionalId: "their-forgotten" }]);
      expect(await unstable(life, "their-accounts", 0)).toBeGreaterThan(0);
      await expect(new TestProducer(life, "their-forgotten").init()).rejects.toMatchObject({ code: "CONCURRENT_TRANSACTIONS" });
      await life.engine.adoptTopic("their-accounts", { partitions: 2, cleanupPolicy: "delete" });
      expect(await unstable(life, "their-accounts", 0)).toBe(0);
      const forgotten = await new TestProducer(life, "their-forgotten").init();
      expect(forgotten.identity.producerId).toBe(17n);
      await forgotten.send("their-accounts", 0, "ours");
      await forgotten.end(true);
      await life.engine.close();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("opened to be read alone is left as it is", async () => {
    const directory = mkdtempSync(join(tmpdir(), "odradek-txn-"));
    try {
      cpSync(data, directory, { recursive: true });
      const before = contents(directory);
      const life = await openEngine(nodeStorage(directory), 1, { readOnly: true });
      expect(await committedOffset(life, "their-group", "their-accounts", 0)).toBe(7);
      await expect(new TestProducer(life, "their-first").init()).rejects.toMatchObject({ code: "READ_ONLY" });
      await life.engine.close();
      expect(contents(directory)).toEqual(before);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
