/** Loss of power at any call of the storage, again and again, recovery included: what was promised is there. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../src/base/errors.ts";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage, type SyncFailure } from "../../src/testing/crash-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS, type RigOptions, rig } from "../log/log-rig.ts";
import { DyingStorage, Oracle } from "./log-crash-rig.ts";

const configOf = (preallocate: boolean): RigOptions => ({
  config: { segmentBytes: 600, indexIntervalBytes: 100, maxMessageBytes: 400, retentionMs: 1000, preallocate },
  maxUnflushedBytes: 500,
});

class BrokenPromise extends Error {}

type Step =
  | { readonly kind: "append"; readonly recordCount: number; readonly valueLength: number; readonly wait: boolean }
  | { readonly kind: "delete"; readonly percent: number }
  | { readonly kind: "retain"; readonly agedMs: number }
  | { readonly kind: "failSync"; readonly failure: SyncFailure }
  | { readonly kind: "reopen"; readonly clean: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("append" as const),
      recordCount: fc.integer({ min: 1, max: 4 }),
      valueLength: fc.integer({ min: 3, max: 60 }),
      wait: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), percent: fc.integer({ min: 0, max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("retain" as const), agedMs: fc.constantFrom(0, 500, 2000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("failSync" as const), failure: fc.constantFrom<SyncFailure>("ext4", "btrfs") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), clean: fc.boolean() }) },
);

/** Runs steps until the machine dies or they are done. */
async function work(
  disk: CrashStorage,
  clock: ManualClock,
  log: PartitionLog,
  oracle: Oracle,
  steps: readonly Step[],
  reopen: (clean: boolean) => Promise<PartitionLog>,
): Promise<PartitionLog> {
  let current = log;
  const waiting: Promise<unknown>[] = [];
  for (const one of steps) {
    if (one.kind === "append") {
      const sent = oracle.append(current, one.recordCount, one.valueLength, clock.now());
      waiting.push(sent.catch(() => {}));
      if (one.wait) await sent.catch(() => {});
      if (current.failure !== null) {
        // A flush failed (or the machine died): recovery decides what there is, and readers lose nothing they saw.
        await Promise.all(waiting);
        await current.reopen();
        const wrong = await oracle.check(current);
        if (wrong !== null) throw new BrokenPromise(wrong);
      }
    } else if (one.kind === "delete") {
      const { logStartOffset, highWatermark } = current.watermarks;
      const target = logStartOffset + Math.floor(((highWatermark - logStartOffset) * one.percent) / 100);
      oracle.deletionAsked = Math.max(oracle.deletionAsked, target);
      oracle.deletedBefore = await current.deleteRecordsBefore(target);
    } else if (one.kind === "retain") {
      clock.jump(one.agedMs);
      oracle.deletionAsked = Math.max(oracle.deletionAsked, current.watermarks.highWatermark);
      await current.applyRetention();
      oracle.deletedBefore = current.watermarks.logStartOffset;
    } else if (one.kind === "failSync") {
      disk.failSyncs(/\.log$/, one.failure);
    } else {
      await Promise.all(waiting);
      await current.close(one.clean);
      current = await reopen(one.clean);
    }
    oracle.look(current);
  }
  await Promise.all(waiting);
  return current;
}

describe("a log that loses power at any call of its storage", () => {
  it("keeps C1 to C4 and C9, also when it dies again in recovery, and when a flush fails", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            steps: fc.array(step, { minLength: 1, maxLength: 25 }),
            callsLeft: fc.integer({ min: 1, max: 150 }),
            // What dies: the process alone, or the power with it.
            kind: fc.constantFrom<"process" | "power">("process", "power", "power"),
            seed: fc.nat(),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        fc.nat(),
        fc.boolean(),
        fc.constantFrom(0, 64, 500),
        async (lives, latencySeed, preallocate, aheadByteLength) => {
          const options = configOf(preallocate);
          const clock = new ManualClock(NOW_MS);
          const chance = new SeededRandom(latencySeed);
          // Flushes are slow and names quick, so that a roll can overtake a flush.
          const latency = async (call: string): Promise<void> => {
            for (let turns = Math.floor(chance.next() * (call === "sync" ? 120 : 4)); turns > 0; turns -= 1) await null;
          };
          let disk = crashStorage({ sectorByteLength: 64, latency, aheadByteLength });
          const oracle = new Oracle();
          const first = rig(disk, { ...options, clock });
          await (await PartitionLog.create(first.context, first.spec)).close(false);
          for (const { steps, callsLeft, kind, seed } of lives) {
            const dying = new DyingStorage(disk, callsLeft);
            const open = async (cleanShutdown: boolean): Promise<PartitionLog> => {
              const { context, spec } = rig(dying, { ...options, cleanShutdown, clock });
              const log = await PartitionLog.open(context, spec);
              const wrong = await oracle.check(log);
              if (wrong !== null && dying.callCount < callsLeft) throw new BrokenPromise(wrong);
              return log;
            };
            try {
              const log = await open(false);
              const last = await work(disk, clock, log, oracle, steps, open);
              await last.close(false).catch(() => {});
            } catch (error) {
              // A refusal of the dead machine, or of a flush that failed in recovery: the next life goes on from here.
              if (!(error instanceof StorageError)) throw error;
            }
            disk = disk.crash(new SeededRandom(seed), { kind });
          }
          const last = rig(disk, { ...options, clock });
          const log = await PartitionLog.open(last.context, last.spec);
          expect(await oracle.check(log)).toBeNull();
          // It still takes appends.
          await oracle.append(log, 2, 20, clock.now());
          expect(await oracle.check(log)).toBeNull();
          await log.close(true);
        },
      ),
      {
        ...(process.env["ODRADEK_SEED"] === undefined ? {} : { seed: Number(process.env["ODRADEK_SEED"]) }),
        numRuns: Number(process.env["ODRADEK_RUNS"] ?? 150),
        timeout: 5000,
        interruptAfterTimeLimit: 200_000,
      },
    );
  }, 300_000);
});
