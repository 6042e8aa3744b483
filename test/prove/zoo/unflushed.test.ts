/**
 * What was written and not flushed: how much of it there may be, what becomes of it when one process leaves it in the cache to the next and
 * then the power goes, and that a torn end of it is no damage where nobody was promised anything.
 */
import { expect, it } from "vitest";
import { CorruptionError } from "../../../src/base/errors.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, send } from "../../log/log-rig.ts";

const FIRST = "orders-0/00000000000000000000.log";

const dead = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(0), { kind: "process" });
const bare = (disk: CrashStorage): CrashStorage => disk.crash(new SeededRandom(0), { kind: "power", survival: "nothing" });

it("what a failed flush left in the cache is written again before the next process serves it, and outlives the power", async () => {
  const disk = crashStorage();
  const { log } = await created(disk);
  for (let index = 0; index < 3; index += 1) await send(log, `value ${index}`);
  // The pages count as clean from now on: reads see them, and no later flush writes them.
  disk.failSyncs(/\.log$/, "ext4");
  await expect(send(log, "in the cache")).rejects.toThrow();
  const killed = dead(disk);
  const { log: next } = await opened(killed);
  const served = await readAll(next);
  expect(served.length).toBe(4);
  const { log: last } = await opened(bare(killed));
  expect(await readAll(last)).toEqual(served);
});

it("a flush of a new segment is one of those before it: all that it answers for outlives the power", async () => {
  const options: RigOptions = { config: { segmentBytes: 300, indexIntervalBytes: 50, maxMessageBytes: 200 } };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  // So slow a disk that the log has rolled, and rolled again, before a flush that began in the first segment is done.
  const disk = crashStorage({
    latency: async (call) => {
      for (let turns = 0; turns < 20 && call === "sync"; turns += 1) await turn();
    },
  });
  const { log } = await created(disk, options);
  const values = Array.from({ length: 7 }, (_, index) => `value ${index}`);
  const sent: Promise<unknown>[] = [];
  for (const value of values) {
    const bare = (): CrashStorage => disk.afterCrash(new SeededRandom(0), { kind: "power", survival: "nothing" });
    sent.push(
      send(log, value).then(async ({ lastOffset }) => {
        const { log: next } = await opened(bare(), options);
        const found = (await readAll(next)).map((record) => record.value);
        expect(found.length, value).toBeGreaterThan(lastOffset);
        expect(found).toEqual(values.slice(0, found.length));
        await next.close(false);
      }),
    );
    await turn();
  }
  await Promise.all(sent);
  expect(log.watermarks.highWatermark).toBe(values.length);
});

it.each([
  ["small batches", 300, 20],
  ["batches that are larger than the bound each", 300, 500],
])("never is more written and not durable than the bound, or one batch: %s", async (_, maxUnflushedBytes, valueLength) => {
  const sizes = { written: 0, durable: 0, most: 0, batchMost: 0 };
  const disk = crashStorage({
    latency: async (call) => {
      if (call === "sync") await new Promise((resolve) => setImmediate(resolve));
    },
  });
  const { log } = await created(disk, { maxUnflushedBytes });
  const look = (): void => {
    const written = disk.peek(FIRST)?.length ?? 0;
    sizes.batchMost = Math.max(sizes.batchMost, written - sizes.written);
    sizes.written = written;
    sizes.durable = disk.afterCrash(new SeededRandom(0), { kind: "power", survival: "nothing" }).peek(FIRST)?.length ?? 0;
    sizes.most = Math.max(sizes.most, written - sizes.durable);
  };
  disk.watch(look);
  const sent = Array.from({ length: 40 }, () => send(log, "x".repeat(valueLength)));
  look();
  await Promise.all(sent);
  expect(log.watermarks.highWatermark).toBe(40);
  expect(sizes.most).toBeGreaterThan(0);
  expect(sizes.most).toBeLessThanOrEqual(Math.max(maxUnflushedBytes, sizes.batchMost));
});

it('a hole in what a topic of "os" never flushed ends its log, however much stands behind the hole', async () => {
  const options: RigOptions = { maxUnflushedBytes: 200, config: { durability: "os", maxMessageBytes: 150 } };
  const disk = crashStorage();
  const { log } = await created(disk, options);
  for (let index = 0; index < 40; index += 1) await append(log, [{ value: `value ${index}`, timestamp: NOW_MS }]);
  const left = dead(disk);
  const byteLength = left.peek(FIRST)?.length ?? 0;
  expect(byteLength).toBeGreaterThan(2000);
  const file = await left.open(FIRST, { create: "no" });
  file.writeAt(new Uint8Array(90), 512);
  await file.sync();
  await file.close();
  const { log: next, events } = await opened(left, options);
  expect(next.failure).toBe(null);
  expect(events.filter(({ type }) => type === "recovery.cut").length).toBe(1);
  const kept = await readAll(next);
  expect(kept.map(({ value }) => value)).toEqual(Array.from({ length: kept.length }, (_, index) => `value ${index}`));
  expect(kept.length).toBeGreaterThan(3);
  expect((await send(next, "more")).baseOffset).toBe(kept.length);
});

// Where the end was uncertain nothing was written again, and what stood before it was served out of the cache. The power took it, and the next
// opening gave its offsets out anew: a reader had seen other records there.
it.each([
  ["the segment they are in", false],
  ["a segment whose name nobody flushed", true],
])("what is served before an end that is not certain outlives the power, too: batches of %s", async (_, isInNext) => {
  const options: RigOptions = { maxUnflushedBytes: 1000, config: { maxMessageBytes: 800 } };
  const disk = crashStorage();
  const { log } = await created(disk, options);
  for (let index = 0; index < 3; index += 1) await send(log, `value ${index}`);
  const killed = dead(disk);
  const longer = crashStorage();
  const { log: other } = await created(longer, options);
  for (let index = 0; index < 5; index += 1) await send(other, `value ${index}`);
  // Two batches that were written and not flushed, and behind them more than a torn write can leave.
  const end = killed.peek(FIRST)?.length ?? 0;
  const unflushed = (longer.peek(FIRST) ?? new Uint8Array(0)).subarray(end);
  const name = isInNext ? "orders-0/00000000000000000003.log" : FIRST;
  const at = isInNext ? 0 : end;
  if (isInNext) {
    // A state that is there has the directory flushed whenever it is read.
    await killed.remove("orders-0/odradek.state");
    await killed.syncDirectory("orders-0");
  }
  const file = await killed.open(name, { create: "if-missing" });
  file.writeAt(unflushed, at);
  file.writeAt(new Uint8Array(2500).fill(7), at + unflushed.length);
  await file.close();
  const { log: next } = await opened(killed, options);
  expect(next.failure).toBeInstanceOf(CorruptionError);
  const served = [];
  for (let offset = 0; offset < 5; offset += 1) served.push(await next.read(offset, 1));
  expect(served.map((bytes) => recordsIn(bytes)[0]?.value)).toEqual(["value 0", "value 1", "value 2", "value 3", "value 4"]);
  const { log: last } = await opened(bare(killed), options);
  for (const [offset, bytes] of served.entries()) expect(await last.read(offset, 1)).toEqual(bytes);
  expect(last.watermarks.logEndOffset).toBeGreaterThanOrEqual(5);
});
