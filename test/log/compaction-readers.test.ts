/** Readers in the middle of what is rewritten: every one goes on, sees offsets rise, and misses nothing that stays. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchByteLengthAt, lastOffsetAt, viewOf } from "../../src/log/batch/batch-header.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { compactAll, KEYED, type KeyedRecord, keyedIn, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { lawsBroken } from "./compaction-twin.ts";
import { created, NOW_MS } from "./log-rig.ts";

/** Each asynchronous call of the storage waits a few turns, by chance: whatever can come between, does. */
function slowStorage(seed: number): ReturnType<typeof crashStorage> {
  const random = new SeededRandom(seed);
  const latency = async (): Promise<void> => {
    for (let turns = Math.floor(random.next() * 4); turns > 0; turns -= 1) await new Promise((resolve) => setImmediate(resolve));
  };
  return crashStorage({ latency });
}

/** From an offset to the end as it was at the beginning, a batch at a time, giving way after each. */
async function stroll(log: PartitionLog, from: number, seed: number): Promise<KeyedRecord[]> {
  const random = new SeededRandom(seed);
  const end = log.watermarks.highWatermark;
  const records: KeyedRecord[] = [];
  for (let offset = from; offset < end; ) {
    const bytes = (random.next() < 0.5 ? log.readSync(offset, 1) : null) ?? (await log.read(offset, random.next() < 0.5 ? 1 : 300));
    if (bytes.length === 0) throw new Error(`nothing from ${offset} on, below ${end}`);
    const view = viewOf(bytes);
    for (let at = 0; at < bytes.length; at += batchByteLengthAt(view, at)) {
      records.push(...keyedIn(bytes, at).filter((record) => record.offset >= offset));
      offset = Math.max(offset, lastOffsetAt(view, at) + 1);
    }
    if (random.next() < 0.5) await new Promise((resolve) => setImmediate(resolve));
  }
  return records;
}

describe("a reader in the middle of segments that are replaced", () => {
  it("finds rising offsets, nothing that was not written, and every record that stays", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fc.nat(29), { minLength: 1, maxLength: 5 }), async (seed, starts) => {
        const { log } = await created(slowStorage(seed), { ...KEYED, config: { ...KEYED.config, segmentBytes: 300 } });
        const history: KeyedRecord[] = [];
        const append = async (key: string, value: string): Promise<void> => {
          const offset = await put(log, [[key, value]], NOW_MS + history.length);
          history[offset] = { offset, key, value };
        };
        for (let index = 0; index < 30; index += 1) await append(`k${index % 4}`, `v${index}`);
        await rollOver(log);
        const roll = log.watermarks.logEndOffset - 1;
        history[roll] = { offset: roll, key: "roll", value: "x".repeat(300 - 90) };
        const during = Promise.all(starts.map((from, index) => stroll(log, from, seed + index)));
        let isOver = false;
        const pass = compactAll(log).finally(() => (isOver = true));
        const times = Promise.all(
          starts.map(async (from) => {
            let found = await log.offsetForTime(NOW_MS + from);
            // The last records of the keys stay, so that there is always one as late.
            while (!isOver && found !== null) {
              await new Promise((resolve) => setImmediate(resolve));
              found = await log.offsetForTime(NOW_MS + from);
            }
            return found;
          }),
        );
        const [walks, found, result] = await Promise.all([during, times, pass]);
        expect(result.recordsAfter).toBeLessThan(result.recordsBefore);
        const left = await readKeyed(log);
        expect(lawsBroken(history, left, 0)).toBeNull();
        for (const [index, walk] of walks.entries()) {
          const from = starts[index] ?? 0;
          const offsets = walk.map(({ offset }) => offset);
          expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
          for (const record of walk) expect(record).toEqual(history[record.offset]);
          const missed = left.filter(({ offset }) => offset >= from && offset < roll && !offsets.includes(offset));
          expect(missed, "what stays was there all the time").toEqual([]);
        }
        for (const [index, each] of found.entries())
          expect(each?.timestamp).toBeGreaterThanOrEqual(NOW_MS + Math.min(29, starts[index] ?? 0));
        await log.close(true);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it("and deletions, retention, appends and a close in the middle of a pass come out as if they had come one after another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(25), fc.boolean(), async (seed, deleteTo, closes) => {
        const storage = slowStorage(seed);
        const config = { ...KEYED.config, segmentBytes: 300, cleanupPolicy: "compact,delete" as const };
        const { log } = await created(storage, { config });
        const history: KeyedRecord[] = [];
        const append = async (key: string, value: string): Promise<void> => {
          const offset = await put(log, [[key, value]]);
          history[offset] = { offset, key, value };
        };
        for (let index = 0; index < 30; index += 1) await append(`k${index % 4}`, `v${index}`);
        const pass = compactAll(log).catch((error: unknown) => error);
        const deletion = log.deleteRecordsBefore(deleteTo);
        const retention = log.applyRetention();
        await append("k0", "while it runs");
        if (closes) {
          await Promise.allSettled([log.close(true), deletion, retention, pass]);
          const names = (await storage.list("orders-0")).map(({ name }) => name);
          expect(names.filter((name) => /\.(cleaned|swap)$/.test(name))).toEqual([]);
          return;
        }
        await Promise.all([pass, deletion, retention]);
        expect(log.watermarks.logStartOffset).toBeGreaterThanOrEqual(deleteTo);
        expect(lawsBroken(history, await readKeyed(log), log.watermarks.logStartOffset)).toBeNull();
        await log.close(true);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
