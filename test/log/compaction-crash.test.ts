/** The power goes at every call of a pass, and again at every call of the recovery behind it: no newest value is lost, nothing deleted comes back. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { DyingStorage } from "../simulation/log-crash-rig.ts";
import { compactAll, type KeyedPut, type KeyedRecord, put, readKeyed, rollOver } from "./compaction-rig.ts";
import { lawsBroken } from "./compaction-twin.ts";
import { NOW_MS, type RigOptions, rig } from "./log-rig.ts";

const HOUR_MS = 3_600_000;
const CONFIG = {
  cleanupPolicy: "compact",
  segmentBytes: 260,
  indexIntervalBytes: 50,
  maxMessageBytes: 250,
  deleteRetentionMs: HOUR_MS,
} as const;
const optionsAt = (clock: ManualClock, firstDirtyOffset: number | null = null): RigOptions => ({
  config: CONFIG,
  clock,
  checkpoint: { recoveryPoint: null, logStartOffset: null, firstDirtyOffset },
});
/** Two groups of several segments, a tombstone in each, keys that are only in the first, and a value that the last one supersedes. */
const PUTS: readonly (readonly KeyedPut[])[] = [
  [
    ["a", "a0"],
    ["gone", "g0"],
  ],
  [
    ["b", "b0"],
    ["a", "a1"],
  ],
  [["gone", null]],
  [
    ["a", "a2"],
    ["c", "c0"],
  ],
  [
    ["b", "b1"],
    ["late", "l0"],
  ],
  [
    ["late", null],
    ["a", "a3"],
  ],
];
/** ODRADEK_SIM_SCALE above 1: every disk of more of them, and every call of each recovery. */
const SCALE = Number(process.env.ODRADEK_SIM_SCALE ?? 1);
/** Disks looked at for one moment. */
const DISKS_MAX = Math.ceil(2 * SCALE);
const DISKS_MAX_AGAIN = 2;
/** Of a recovery's calls every so manyth is the last, others at each call of the pass: the crash prover takes all of them. */
const AGAIN_STEP = SCALE > 1 ? 1 : 11;

/** What every life begins with, up to the horizon of the tombstones: the next pass may drop them. */
async function bornDisk(): Promise<{ disk: CrashStorage; history: KeyedRecord[]; firstDirtyOffset: number | null }> {
  const disk = crashStorage({ sectorByteLength: 128 });
  const made = rig(disk, optionsAt(new ManualClock(NOW_MS)));
  const log = await PartitionLog.create(made.context, made.spec);
  const history: KeyedRecord[] = [];
  const append = async (puts: readonly KeyedPut[]): Promise<void> => {
    const baseOffset = await put(log, puts);
    for (const [index, [key, value]] of puts.entries()) history[baseOffset + index] = { offset: baseOffset + index, key, value };
  };
  for (const puts of PUTS.slice(0, 4)) await append(puts);
  await rollOver(log);
  history[log.watermarks.logEndOffset - 1] = {
    offset: log.watermarks.logEndOffset - 1,
    key: "roll",
    value: "x".repeat(CONFIG.segmentBytes - 90),
  };
  await compactAll(log);
  for (const puts of PUTS.slice(4)) await append(puts);
  await rollOver(log);
  history[log.watermarks.logEndOffset - 1] = {
    offset: log.watermarks.logEndOffset - 1,
    key: "roll",
    value: "x".repeat(CONFIG.segmentBytes - 90),
  };
  const { firstDirtyOffset } = log;
  await log.close(false);
  return { disk, history, firstDirtyOffset };
}

/** A second life that dies at call `dyingAt`: two passes, the second one after the horizon. */
async function live(dyingAt: number): Promise<{ disk: CrashStorage; history: KeyedRecord[]; isFinished: boolean }> {
  const { disk, history, firstDirtyOffset } = await bornDisk();
  const dying = new DyingStorage(disk, dyingAt);
  const clock = new ManualClock(NOW_MS + 2 * HOUR_MS);
  const { context, spec } = rig(dying, optionsAt(clock, firstDirtyOffset));
  try {
    const log = await PartitionLog.open(context, spec);
    await compactAll(log);
    await clock.advance(2 * HOUR_MS);
    await rollOver(log);
    history.push({ offset: log.watermarks.logEndOffset - 1, key: "roll", value: "x".repeat(CONFIG.segmentBytes - 90) });
    await compactAll(log);
    await log.close(false);
  } catch {
    // the machine is dead
  }
  return { disk, history, isFinished: dying.callCount < dyingAt };
}

/** Opens what a crash left, and holds it to the laws; then goes on with it, and again. */
async function check(left: CrashStorage, history: readonly KeyedRecord[], where: string): Promise<void> {
  const clock = new ManualClock(NOW_MS + 9 * HOUR_MS);
  const { context, spec, events } = rig(left, optionsAt(clock));
  const log = await PartitionLog.open(context, spec);
  expect(log.failure, where).toBeNull();
  const found = await readKeyed(log, undefined, 300);
  const known = [...history];
  // Written, but its writer never heard of it.
  for (const record of found) known[record.offset] ??= record;
  expect(lawsBroken(known, found, 0), where).toBeNull();
  expect(log.watermarks.logEndOffset, `${where}: the log's end`).toBeGreaterThanOrEqual(PUTS.flat().length + 2);
  expect(
    events.filter(({ type }) => type === "recovery.damage" || type === "seal.ignored"),
    where,
  ).toEqual([]);
  const offset = await put(log, [
    ["a", "after"],
    ["gone", "again"],
  ]);
  for (const [index, [key, value]] of (
    [
      ["a", "after"],
      ["gone", "again"],
    ] as const
  ).entries())
    known[offset + index] = { offset: offset + index, key, value };
  await rollOver(log);
  known.push({ offset: offset + 2, key: "roll", value: "x".repeat(CONFIG.segmentBytes - 90) });
  await compactAll(log);
  await clock.advance(2 * HOUR_MS);
  expect(lawsBroken(known, await readKeyed(log), 0), `${where}, and compacted again`).toBeNull();
  await log.close(false);
  const names = (await left.list("orders-0")).map(({ name }) => name);
  expect(
    names.filter((name) => /\.(cleaned|swap|deleted)$/.test(name)),
    where,
  ).toEqual([]);
}

describe("a loss of power", () => {
  it("at any call of a pass leaves every newest value, and nothing that was deleted", async () => {
    let diskCount = 0;
    for (let dyingAt = 1; ; dyingAt += 1) {
      const { disk, history, isFinished } = await live(dyingAt);
      for (const left of disk.enumerateCrashes(DISKS_MAX)) {
        diskCount += 1;
        await check(left, history, `dead at call ${dyingAt}, disk ${diskCount}`);
      }
      if (isFinished) break;
    }
    expect(diskCount).toBeGreaterThan(120);
  }, 240_000);

  /**
   * A process was killed when its new segments had the names of a swap and no flush had covered them. The next one saw the names in
   * the cache, removed the old segments, and lost its power: the removals had come to the disk, the names had not. What was left were
   * unfinished rewrites, which recovery discards: the newest values of whole segments were gone. Now the names are made durable first.
   */
  it("in the recovery behind a death of the process in a pass takes no segment whose successor has no durable name", async () => {
    const { disk, history, firstDirtyOffset } = await bornDisk();
    const { context, spec } = rig(disk, optionsAt(new ManualClock(NOW_MS + 2 * HOUR_MS), firstDirtyOffset));
    const log = await PartitionLog.open(context, spec);
    const random = new SeededRandom("names of a swap");
    const killed: CrashStorage[] = [];
    disk.watch(() => void killed.push(disk.afterCrash(undefined, { kind: "process" })));
    await compactAll(log);
    disk.watch(null);
    let diskCount = 0;
    for (const left of killed) {
      const names = (await left.list("orders-0")).map(({ name }) => name);
      if (!names.some((name) => name.endsWith(".swap"))) continue;
      const again: CrashStorage[] = [];
      left.watch((call) => {
        if (call !== "remove" && call !== "syncDirectory") return;
        for (let count = 4; count > 0; count -= 1) again.push(left.afterCrash(random, { survival: "scatter" }));
      });
      const next = rig(left, optionsAt(new ManualClock(NOW_MS + 2 * HOUR_MS)));
      await (await PartitionLog.open(next.context, next.spec)).close(false);
      for (const each of again) {
        diskCount += 1;
        const last = rig(each, optionsAt(new ManualClock(NOW_MS + 2 * HOUR_MS)));
        const opened = await PartitionLog.open(last.context, last.spec);
        expect(lawsBroken(history, await readKeyed(opened), 0)).toBeNull();
      }
    }
    expect(diskCount).toBeGreaterThan(100);
  }, 240_000);

  it("at any call of a pass, and then at any call of the recovery, leaves the same", async () => {
    let diskCount = 0;
    for (let dyingAt = 1; ; dyingAt += 1) {
      const { disk, history, isFinished } = await live(dyingAt);
      const hasWork = [...disk.enumerateCrashes(DISKS_MAX_AGAIN)];
      for (const left of hasWork) {
        const names = (await left.list("orders-0")).map(({ name }) => name);
        // Without a rewrite to finish it is the log's own recovery, which has tests of its own.
        if (!names.some((name) => /\.(cleaned|swap)$/.test(name))) continue;
        for (let again = 1 + (dyingAt % AGAIN_STEP); again < 60; again += AGAIN_STEP) {
          // The image itself is only looked at: each try gets a copy, as it is.
          const copy = [...left.enumerateCrashes(1)][0] as CrashStorage;
          const dying = new DyingStorage(copy, again);
          const { context, spec } = rig(dying, optionsAt(new ManualClock(NOW_MS + 9 * HOUR_MS)));
          const opened = await PartitionLog.open(context, spec).catch(() => null);
          await opened?.close(false).catch(() => {});
          for (const twice of copy.enumerateCrashes(DISKS_MAX_AGAIN)) {
            diskCount += 1;
            await check(twice, history, `dead at call ${dyingAt} and at call ${again} of the recovery`);
          }
          if (dying.callCount < again) break;
        }
      }
      if (isFinished) break;
    }
    expect(diskCount).toBeGreaterThan(120);
  }, 240_000);
});
