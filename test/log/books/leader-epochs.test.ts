import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LeaderEpochs } from "../../../src/log/books/leader-epochs.ts";
import { memory } from "../../../src/storage/memory.ts";
import { atEveryCrash, bytesOf, get, golden, put, text } from "./support.ts";

const FILE = "orders-0/leader-epoch-checkpoint";

async function emptyDirectory(): Promise<ReturnType<typeof memory>> {
  const storage = memory();
  await storage.createDirectory("orders-0");
  return storage;
}

describe("leader epochs", () => {
  it("read what Kafka wrote and write the same bytes", async () => {
    const storage = memory();
    await put(storage, FILE, golden("data-clean/orders-0/leader-epoch-checkpoint"));
    const epochs = await LeaderEpochs.load(storage, "orders-0");
    expect(epochs.problem).toBeNull();
    expect(epochs.entries()).toEqual([
      { epoch: 0, startOffset: 0 },
      { epoch: 1, startOffset: 12 },
    ]);
    expect([epochs.epochFor(0), epochs.epochFor(11), epochs.epochFor(12), epochs.epochFor(1000)]).toEqual([0, 0, 1, 1]);

    const other = await emptyDirectory();
    const written = await LeaderEpochs.load(other, "orders-0");
    expect([written.latest(), written.epochFor(0)]).toEqual([null, null]);
    await written.assign(0, 0);
    await written.assign(1, 12);
    expect(text(await get(other, FILE))).toBe(text(golden("data-clean/orders-0/leader-epoch-checkpoint")));
  });

  it("begin with none below 0, and say what they expect instead", async () => {
    const epochs = await LeaderEpochs.load(await emptyDirectory(), "orders-0");
    await expect(epochs.assign(-1, 0)).rejects.toThrow("expected an epoch of 0 or more, found epoch -1 at offset 0");
    await epochs.assign(3, 0);
    await expect(epochs.assign(3, 5)).rejects.toThrow("expected an epoch above 3, found epoch 3 at offset 5");
    expect(epochs.entries()).toEqual([{ epoch: 3, startOffset: 0 }]);
  });

  it("answer as a list of what was written offset by offset, after any assignments and truncations, reopened or not", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("append" as const), epochs: fc.integer({ min: 1, max: 3 }), records: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ kind: fc.constant("end" as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ kind: fc.constant("start" as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const storage = await emptyDirectory();
        const epochs = await LeaderEpochs.load(storage, "orders-0");
        let start = 0;
        let epochOf: number[] = []; // by offset
        let latest = -1;
        for (const taken of steps) {
          if (taken.kind === "append") {
            latest = Math.max(latest, epochs.latest()?.epoch ?? -1) + taken.epochs;
            await epochs.assign(latest, epochOf.length);
            for (let record = 0; record < taken.records; record++) epochOf.push(latest);
          } else if (taken.kind === "end") {
            const end = start + Math.floor(taken.at * (epochOf.length - start));
            epochOf = epochOf.slice(0, end);
            await epochs.truncateFromEnd(end);
          } else {
            start += Math.floor(taken.at * (epochOf.length - start));
            await epochs.truncateFromStart(start);
          }
        }
        const reopened = await LeaderEpochs.load(storage, "orders-0");
        expect(reopened.entries()).toEqual(epochs.entries());
        for (let offset = start; offset < epochOf.length; offset++) expect(reopened.epochFor(offset)).toBe(epochOf[offset]);
        for (const entry of reopened.entries().slice(1)) expect(entry.startOffset).toBeGreaterThan(start);
      }),
      { numRuns: 60 },
    );
  });

  it("move the epoch that holds the start up to it, as Kafka does", async () => {
    const epochs = await LeaderEpochs.load(await emptyDirectory(), "orders-0");
    for (const [epoch, offset] of [
      [2, 0],
      [4, 10],
      [7, 20],
    ] as const)
      await epochs.assign(epoch, offset);
    await epochs.truncateFromStart(14);
    expect(epochs.entries()).toEqual([
      { epoch: 4, startOffset: 14 },
      { epoch: 7, startOffset: 20 },
    ]);
    await epochs.truncateFromEnd(20);
    expect(epochs.entries()).toEqual([{ epoch: 4, startOffset: 14 }]);
  });

  it("refuse an epoch that does not rise, also when two are asked for at once", async () => {
    const storage = await emptyDirectory();
    const epochs = await LeaderEpochs.load(storage, "orders-0");
    await epochs.assign(3, 5);
    for (const [epoch, offset] of [
      [3, 6],
      [2, 6],
      [-1, 6],
      [2 ** 31, 6],
      [4, -1],
      [4, 0.5],
    ] as const) {
      await expect(epochs.assign(epoch, offset)).rejects.toThrow(/leader-epoch-checkpoint/);
    }
    const both = await Promise.allSettled([epochs.assign(4, 6), epochs.assign(4, 7)]);
    expect(both.map((result) => result.status)).toEqual(["fulfilled", "rejected"]);
    expect(text(await get(storage, FILE))).toBe("0\n2\n3 5\n4 6\n");
  });

  it("load empty, with the reason, from a file that cannot be believed, and set it aside before the first change", async () => {
    for (const contents of [
      "0\n2\n1 0\n0 5\n",
      "0\n2\n0 5\n1 4\n",
      "0\n1\n0 5",
      "0\n1\n0 x\n",
      "9\n0\n",
      "0\n1\n2147483648 0\n",
      "garbage",
    ]) {
      const storage = memory();
      await put(storage, FILE, bytesOf(contents));
      const epochs = await LeaderEpochs.load(storage, "orders-0");
      expect(epochs.problem, contents).toContain(FILE);
      expect(epochs.entries()).toEqual([]);
      expect(text(await get(storage, FILE))).toBe(contents); // reading changes nothing
      await epochs.assign(7, 0);
      expect(text(await get(storage, `${FILE}.set-aside-1`))).toBe(contents);
      expect(text(await get(storage, FILE))).toBe("0\n1\n7 0\n");
    }
  });

  it("never overwrite what was set aside before", async () => {
    const storage = memory();
    for (const [number, contents] of [
      [1, "first"],
      [2, "second"],
    ] as const) {
      await put(storage, FILE, bytesOf(contents));
      const epochs = await LeaderEpochs.load(storage, "orders-0");
      await epochs.truncateFromEnd(0);
      expect(text(await get(storage, `${FILE}.set-aside-${number}`))).toBe(contents);
    }
    expect(text(await get(storage, `${FILE}.set-aside-1`))).toBe("first");
  });

  it("hold every epoch whose assignment resolved, at every crash", async () => {
    let durable = -1;
    const looked = await atEveryCrash(
      async (storage) => {
        await storage.createDirectory("orders-0");
        await storage.syncDirectory("");
        const epochs = await LeaderEpochs.load(storage, "orders-0");
        for (let epoch = 0; epoch < 4; epoch++) {
          await epochs.assign(epoch, epoch * 10);
          durable = epoch;
        }
      },
      async (disk) => {
        const epochs = await LeaderEpochs.load(disk, "orders-0");
        expect(epochs.problem).toBeNull();
        const latest = epochs.latest()?.epoch ?? -1;
        expect(latest).toBeGreaterThanOrEqual(durable);
        expect(latest).toBeLessThanOrEqual(durable + 1);
      },
    );
    expect(looked).toBeGreaterThan(50);
  });
});
