import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitionState, type PartitionStateFacts } from "../../../src/log/state/partition-state.ts";
import { memory } from "../../../src/storage/memory.ts";
import { crashStorage, SeededRandom } from "../../../src/testing/index.ts";
import { atEveryCrash, contextOn, flipped, get, put } from "./support.ts";

const FILE = "orders-3/odradek.state";
const IDENTITY = { topic: "orders", partition: 3, topicId: "AAECAwQFBgcICQoLDA0ODw" };

/** Facts in which every number follows from one, so that a mixture of two would show. */
function facts(step: number, clean = false): PartitionStateFacts {
  const blocks = step % 5;
  return {
    recoveryPoint: step * 7,
    logStartOffset: step,
    highWatermark: step * 11,
    durableSegmentBase: step * 2,
    durableEndPosition: step * 13,
    durableEndOffset: step * 17,
    cleanlyClosed: clean,
    activeSegment: clean
      ? {
          baseOffset: step * 2,
          logByteLength: blocks * 65_536 - (blocks > 0 ? 1 : 0),
          logChecksums: Array.from({ length: blocks }, (_, block) => (step * 31 + block) >>> 0),
          indexByteLength: step * 8,
          indexChecksum: 0xffff_ffff - step,
          timeIndexByteLength: step * 12,
          timeIndexChecksum: 0x8000_0000 + step,
          txnIndexByteLength: 0,
          txnIndexChecksum: 0,
        }
      : null,
    withoutProducers: step % 3 === 0,
    txnIndex: step % 4 === 0 ? null : { baseOffset: step * 19, byteLength: step * 34, checksum: 0xffff_fff0 - step },
    writtenAs: step % 5 === 0 ? "os" : "sync",
  };
}

async function directory(): Promise<ReturnType<typeof memory>> {
  const storage = memory();
  await storage.createDirectory("orders-3");
  return storage;
}

describe("the partition state", () => {
  it("gives back what was written last, whatever the offsets, durably or not, and again after reopening", async () => {
    const any = fc.record({
      recoveryPoint: fc.maxSafeNat(),
      logStartOffset: fc.maxSafeNat(),
      highWatermark: fc.maxSafeNat(),
      durableSegmentBase: fc.maxSafeNat(),
      durableEndPosition: fc.nat(),
      durableEndOffset: fc.maxSafeNat(),
      cleanlyClosed: fc.boolean(),
      activeSegment: fc.constant(null),
      withoutProducers: fc.boolean(),
      txnIndex: fc.option(
        fc.record({ baseOffset: fc.maxSafeNat(), byteLength: fc.nat(), checksum: fc.integer({ min: 0, max: 0xffff_ffff }) }),
      ),
      writtenAs: fc.constantFrom("os" as const, "sync" as const),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(any, fc.boolean()), { minLength: 1, maxLength: 8 }), async (writes) => {
        const storage = await directory();
        const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
        expect([state.facts(), state.problem]).toEqual([null, null]);
        for (const [written, durably] of writes) {
          if (durably) await state.writeDurably(written);
          else state.write(written);
          expect(state.facts()).toEqual(written);
        }
        await state.close();
        const reopened = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
        expect([reopened.facts(), reopened.problem, reopened.foreign]).toEqual([writes.at(-1)?.[0], null, false]);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps the block checksums of a cleanly closed segment, up to the largest segment there is", async () => {
    const largest = facts(4, true);
    const checksums = Array.from({ length: 32_768 }, (_, block) => (block * 2_654_435_761) >>> 0);
    for (const written of [
      facts(0, true),
      facts(3, true),
      { ...largest, activeSegment: { ...largest.activeSegment!, logByteLength: 2 ** 31 - 1, logChecksums: checksums } },
    ]) {
      const storage = await directory();
      const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
      await state.writeDurably(facts(9, true));
      await state.writeDurably(written);
      await state.close();
      expect((await PartitionState.load(contextOn(storage), "orders-3", IDENTITY)).facts()).toEqual(written);
    }
    const state = await PartitionState.load(contextOn(await directory()), "orders-3", IDENTITY);
    const short = facts(3, true);
    expect(() => state.write({ ...short, activeSegment: { ...short.activeSegment!, logChecksums: [1] } })).toThrow(
      /checksum for every 64 KiB/,
    );
  });

  it("never gives back a mixture: after any crash it is one that was written, at least the last durable one, and the next open says the same", async () => {
    const step = fc.constantFrom("write", "write", "write", "durably", "clean", "die", "reopen") as fc.Arbitrary<string>;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), fc.integer(), fc.boolean(), async (steps, seed, tornSectors) => {
        const random = new SeededRandom(seed);
        let disk = crashStorage({ sectorByteLength: 64 }); // a slot is four sectors: it can be torn
        await disk.createDirectory("orders-3");
        await disk.syncDirectory("");
        let state = await PartitionState.load(contextOn(disk), "orders-3", IDENTITY);
        let [count, durable] = [0, 0];
        for (const taken of steps) {
          if (taken === "write") state.write(facts(++count));
          else if (taken === "durably" || taken === "clean") {
            await state.writeDurably(facts(++count, taken === "clean"));
            durable = count;
          } else {
            // Dead, or closed without a word: what was written is seen by the next one, and no safer than before.
            if (taken === "die") disk = disk.crash(random, { kind: "process" });
            else await state.close();
            state = await PartitionState.load(contextOn(disk), "orders-3", IDENTITY);
            expect(state.facts()?.logStartOffset ?? 0).toBe(count);
            durable = count; // load flushes what it has read
          }
        }
        for (const after of [...disk.enumerateCrashes(8), disk.crash(random, { tornSectors })]) {
          const found = await PartitionState.load(contextOn(after), "orders-3", IDENTITY);
          const read = found.facts();
          const number = read?.logStartOffset ?? 0;
          expect(number).toBeGreaterThanOrEqual(durable);
          expect(number).toBeLessThanOrEqual(count);
          if (read !== null) expect(read).toEqual(facts(number, read.activeSegment !== null));
          await found.close();
          expect((await PartitionState.load(contextOn(after), "orders-3", IDENTITY)).facts()).toEqual(read);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("holds what was durable at every moment of a life, in every way a crash can leave the disk", async () => {
    let [count, durable] = [0, 0];
    const looked = await atEveryCrash(
      async (storage) => {
        await storage.createDirectory("orders-3");
        await storage.syncDirectory("");
        const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
        for (let round = 0; round < 3; round++) {
          state.write(facts(++count));
          state.write(facts(++count));
          const flushing = state.writeDurably(facts(++count));
          for (let turn = 0; turn < 3; turn++) await Promise.resolve(); // now it is under way
          state.write(facts(++count)); // waits for it
          await flushing;
          durable = count - 1;
          state.write(facts(++count));
          const file = await storage.open(FILE, { create: "no", readOnly: true }); // a moment to lose power at
          await file.close();
        }
        await state.writeDurably(facts(++count, true));
        durable = count;
        await state.close();
      },
      async (disk) => {
        const state = await PartitionState.load(contextOn(disk), "orders-3", { ...IDENTITY, readOnly: true });
        const number = state.facts()?.logStartOffset ?? 0;
        expect(number).toBeGreaterThanOrEqual(durable);
        expect(number).toBeLessThanOrEqual(count);
      },
      100,
    );
    expect(looked).toBeGreaterThan(100);
  });

  it("notices every flipped bit or stands by what it says: with one slot gone the other answers", async () => {
    const storage = await directory();
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    await state.writeDurably(facts(1));
    await state.writeDurably(facts(3, true));
    await state.close();
    const bytes = (await get(storage, FILE)) as Uint8Array;
    const both = [JSON.stringify(facts(1)), JSON.stringify(facts(3, true))];
    const blockArea = bytes.byteLength - 3 * 4;
    for (let at = 0; at < bytes.byteLength; at++) {
      // The slots and the checksums in use whole; of the space between a byte here and there.
      if (!(at % 4096 < 256 && at < 8192) && at < blockArea && at % 1009 !== 0) continue;
      for (let bit = at * 8; bit < at * 8 + 8; bit++) {
        await put(storage, FILE, flipped(bytes, bit));
        const read = await PartitionState.load(contextOn(storage), "orders-3", { ...IDENTITY, readOnly: true });
        const found = JSON.stringify(read.facts());
        if (found === both[1]) expect(read.problem === null || at < 256, `bit ${bit}`).toBe(true);
        else {
          expect(read.problem, `bit ${bit}`).not.toBeNull();
          const withoutBlocks = JSON.stringify({ ...facts(3, true), cleanlyClosed: false, activeSegment: null });
          expect([both[0], withoutBlocks]).toContain(found);
        }
      }
    }
  });

  it("reads at every length, and believes no part of a slot", async () => {
    const storage = await directory();
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    await state.writeDurably(facts(1));
    await state.writeDurably(facts(2));
    await state.close();
    const bytes = (await get(storage, FILE)) as Uint8Array;
    const seen = new Set<number>();
    for (let byteLength = 0; byteLength <= bytes.byteLength; byteLength += byteLength % 4096 < 300 ? 1 : 97) {
      await put(storage, FILE, bytes.subarray(0, byteLength));
      const read = await PartitionState.load(contextOn(storage), "orders-3", { ...IDENTITY, readOnly: true });
      seen.add(read.facts()?.logStartOffset ?? 0);
      if (read.facts() !== null) expect(read.facts()).toEqual(facts(read.facts()!.logStartOffset));
      expect((await get(storage, FILE))?.byteLength).toBe(byteLength);
    }
    // What is durable goes into the other slot as well, so that no slot still tells of what was before it.
    expect([...seen]).toEqual([0, 2]);
  });

  it("sets a file aside in which no slot can be believed, and begins anew", async () => {
    const storage = await directory();
    const garbage = new SeededRandom(7).bytes(8192);
    await put(storage, FILE, garbage);
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    expect([state.facts(), state.foreign]).toEqual([null, false]);
    expect(state.problem).toContain(FILE);
    await state.writeDurably(facts(5));
    await state.close();
    expect(await get(storage, `${FILE}.set-aside-1`)).toEqual(garbage);
    const reopened = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    expect([reopened.facts(), reopened.problem]).toEqual([facts(5), null]);
  });

  it("tells the file of another partition or topic, and never writes over it", async () => {
    const storage = await directory();
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    await state.writeDurably(facts(5));
    await state.close();
    const bytes = await get(storage, FILE);
    for (const other of [
      { ...IDENTITY, partition: 4 },
      { ...IDENTITY, topicId: "BAECAwQFBgcICQoLDA0ODw" },
    ]) {
      const foreign = await PartitionState.load(contextOn(storage), "orders-3", other);
      expect([foreign.facts(), foreign.foreign]).toEqual([null, true]);
      expect(foreign.problem).toMatch(/belongs to partition 3/);
      expect(() => foreign.write(facts(6))).toThrow(/cannot be written/);
      await expect(foreign.writeDurably(facts(6))).rejects.toThrow(/cannot be written/);
      expect(await get(storage, FILE)).toEqual(bytes);
    }
    const unknown = await PartitionState.load(contextOn(storage), "orders-3", { ...IDENTITY, topicId: "" });
    expect(unknown.facts()).toEqual(facts(5));
  });

  it("stays failed after a failed flush: no second flush of the same pages, and the fact before it stands", async () => {
    const storage = crashStorage();
    await storage.createDirectory("orders-3");
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    await storage.syncDirectory("");
    await state.writeDurably(facts(1));
    storage.failSyncs(/odradek\.state/, "ext4");
    await expect(state.writeDurably(facts(2))).rejects.toMatchObject({ code: "EIO" });
    await expect(state.writeDurably(facts(3))).rejects.toMatchObject({ code: "EIO" });
    for (const disk of storage.enumerateCrashes(100)) {
      const read = await PartitionState.load(contextOn(disk), "orders-3", IDENTITY);
      expect([1, 2]).toContain(read.facts()?.logStartOffset);
    }
  });

  // A start of the log that deleteRecords had confirmed was gone: the slot of the failed flush was read from the cache and believed,
  // flushed to no effect, and the one before it, which alone was on the disk, was written next (crash:881392352).
  it("writes again what it read, so that what a failed flush left in the cache alone takes no fact with it", async () => {
    const storage = crashStorage();
    await storage.createDirectory("orders-3");
    const state = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    await storage.syncDirectory("");
    await state.writeDurably(facts(1));
    await state.writeDurably(facts(2));
    storage.failSyncs(/odradek\.state/, "ext4");
    await expect(state.writeDurably(facts(3))).rejects.toMatchObject({ code: "EIO" });
    await state.close();
    const next = await PartitionState.load(contextOn(storage), "orders-3", IDENTITY);
    next.write(facts(4));
    for (const disk of storage.enumerateCrashes(200)) {
      const read = await PartitionState.load(contextOn(disk), "orders-3", IDENTITY);
      expect([3, 4]).toContain(read.facts()?.logStartOffset);
    }
  });

  it("makes nothing where the partition is only read", async () => {
    const storage = await directory();
    const state = await PartitionState.load(contextOn(storage), "orders-3", { ...IDENTITY, readOnly: true });
    expect([state.facts(), state.problem]).toEqual([null, null]);
    expect(state.reread()).toBe(false);
    expect(() => state.write(facts(1))).toThrow(/opened to be read/);
    expect(await storage.list("orders-3")).toEqual([]);
    await state.close();
  });
});
