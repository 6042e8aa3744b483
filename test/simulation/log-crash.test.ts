/** Loss of power at any call of the storage, again and again, recovery included: what was promised is there. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { NOW_MS, type RigOptions, rig } from "../log/log-rig.ts";
import { DyingStorage, Oracle } from "./log-crash-rig.ts";

const CONFIG: RigOptions = {
  config: { segmentBytes: 600, indexIntervalBytes: 100, maxMessageBytes: 400 },
  maxUnflushedBytes: 500,
};

type Step =
  | { readonly kind: "append"; readonly recordCount: number; readonly valueLength: number; readonly wait: boolean }
  | { readonly kind: "delete"; readonly share: number }
  | { readonly kind: "retain" }
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "retain" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), clean: fc.boolean() }) },
);

/** Runs steps until the machine dies or they are done. */
async function work(log: PartitionLog, oracle: Oracle, steps: readonly Step[], reopen: (clean: boolean) => Promise<PartitionLog>): Promise<PartitionLog> {
  let current = log;
  const waiting: Promise<unknown>[] = [];
  for (const one of steps) {
    if (one.kind === "append") {
      const sent = oracle.append(current, one.recordCount, one.valueLength, NOW_MS);
      waiting.push(sent.catch(() => {}));
      if (one.wait) await sent;
    } else if (one.kind === "delete") {
      const { logStartOffset, highWatermark } = current.watermarks;
      const target = logStartOffset + Math.floor((highWatermark - logStartOffset) * one.share);
      oracle.deletionAsked = Math.max(oracle.deletionAsked, target);
      oracle.deletedBefore = await current.deleteRecordsBefore(target);
    } else if (one.kind === "retain") {
      await current.applyRetention();
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
  it("keeps C1 to C4 and C9, also when it dies again in recovery", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 25 }), callsLeft: fc.integer({ min: 1, max: 150 }), seed: fc.nat() }), {
          minLength: 1,
          maxLength: 5,
        }),
        async (lives) => {
          let disk = crashStorage({ sectorByteLength: 64 });
          const oracle = new Oracle();
          const first = rig(disk, CONFIG);
          await (await PartitionLog.create(first.context, first.spec)).close(false);
          for (const { steps, callsLeft, seed } of lives) {
            const dying = new DyingStorage(disk, callsLeft);
            const open = async (cleanShutdown: boolean): Promise<PartitionLog> => {
              const { context, spec } = rig(dying, { ...CONFIG, cleanShutdown });
              const log = await PartitionLog.open(context, spec);
              const wrong = await oracle.check(log);
              if (wrong !== null && dying.callCount < callsLeft) throw new Error(wrong);
              return log;
            };
            try {
              const log = await open(false);
              await work(log, oracle, steps, open);
              await log.close(false).catch(() => {});
            } catch (error) {
              if (dying.callCount < callsLeft) throw error;
            }
            disk = disk.crash(new SeededRandom(seed));
          }
          const last = rig(disk, CONFIG);
          const log = await PartitionLog.open(last.context, last.spec);
          expect(await oracle.check(log)).toBeNull();
          // It still takes appends.
          await oracle.append(log, 2, 20, NOW_MS);
          expect(await oracle.check(log)).toBeNull();
          await log.close(true);
        },
      ),
      { numRuns: Number(process.env["ODRADEK_RUNS"] ?? 150), timeout: 5000, interruptAfterTimeLimit: 200_000 },
    );
  }, 300_000);
});
