/** Small scopes, every way out: each disk that a loss of power may leave after each call of a short life (C1 to C4, C9). */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { NOW_MS, type RigOptions, rig } from "../log/log-rig.ts";
import { DyingStorage, Oracle } from "./log-crash-rig.ts";

const optionsOf = (preallocate: boolean): RigOptions => ({
  config: { segmentBytes: 250, indexIntervalBytes: 100, maxMessageBytes: 200, preallocate },
  maxUnflushedBytes: 300,
});
/** Disks looked at for one moment; where there are more, those of each moment and a repeatable choice of the others. */
const DISKS_MAX = 30;

/** A first life of two batches, an unclean end, then a second life of three across a roll, which dies at call `dyingAt`. */
async function live(
  options: RigOptions,
  dyingAt: number,
): Promise<{ disk: ReturnType<typeof crashStorage>; oracle: () => Oracle; finished: boolean }> {
  const disk = crashStorage({ sectorByteLength: 128 });
  const oracle = new Oracle();
  const first = rig(disk, options);
  const born = await PartitionLog.create(first.context, first.spec);
  await oracle.append(born, 1, 10, NOW_MS);
  await oracle.append(born, 2, 10, NOW_MS);
  await born.close(false);
  const dying = new DyingStorage(disk, dyingAt);
  const { context, spec } = rig(dying, options);
  try {
    const log = await PartitionLog.open(context, spec);
    const sent = [oracle.append(log, 1, 30, NOW_MS), oracle.append(log, 2, 30, NOW_MS), oracle.append(log, 1, 30, NOW_MS)];
    for (const one of sent) {
      await one.catch(() => {});
      oracle.look(log);
    }
    oracle.deletionAsked = 2;
    oracle.deletedBefore = await log.deleteRecordsBefore(2);
    await log.close(false);
  } catch {
    // the machine is dead
  }
  const copy = (): Oracle => {
    const fresh = new Oracle();
    fresh.history.push(...oracle.history);
    Object.assign(fresh, {
      acknowledgedEnd: oracle.acknowledgedEnd,
      seenEnd: oracle.seenEnd,
      deletedBefore: oracle.deletedBefore,
      deletionAsked: oracle.deletionAsked,
    });
    return fresh;
  };
  return { disk, oracle: copy, finished: dying.callCount < dyingAt };
}

describe("every disk that a short life may leave", () => {
  it.each([false, true])(
    "keeps what was promised, whatever came of each write (preallocate %s)",
    async (preallocate) => {
      const options = optionsOf(preallocate);
      let diskCount = 0;
      for (let dyingAt = 1; ; dyingAt += 1) {
        const { disk, oracle, finished } = await live(options, dyingAt);
        for (const left of disk.enumerateCrashes(DISKS_MAX)) {
          diskCount += 1;
          const checked = oracle();
          const { context, spec } = rig(left, options);
          const log = await PartitionLog.open(context, spec);
          expect(await checked.check(log), `dead at call ${dyingAt}`).toBeNull();
          await checked.append(log, 1, 10, NOW_MS);
          expect(await checked.check(log), `dead at call ${dyingAt}, and appended`).toBeNull();
          await log.close(false);
        }
        if (finished) break;
      }
      expect(diskCount).toBeGreaterThan(300);
    },
    120_000,
  );
});
