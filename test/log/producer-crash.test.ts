/** Loss of power at every single call of the storage, in the midst of transactions, rolls and recovery: what is known afterwards is what the log says. */
import { describe, expect, it } from "vitest";
import { PartitionLog } from "../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { DyingStorage } from "../simulation/log-crash-rig.ts";
import { expectTwin } from "./expect-twin.ts";
import { created, NOW_MS, opened, type RigOptions, rig } from "./log-rig.ts";
import { allBatches, sendAs } from "./producer-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 700, indexIntervalBytes: 100 }, recoveryPointIntervalBytes: 250 };

/** Two producers whose transactions cross, some aborted; a third without any. Answers the offset below which all was acknowledged. */
async function work(log: PartitionLog, acknowledged: (end: number) => void): Promise<void> {
  for (let round = 0; round < 6; round += 1) {
    for (const producerId of [1n, 2n]) {
      if (producerId === 1n || round % 2 === 0)
        await sendAs(log, {
          producerId,
          producerEpoch: 0,
          baseSequence: producerId === 1n ? round : round / 2,
          recordCount: 1,
          transactional: true,
        });
    }
    await sendAs(log, { producerId: 3n, producerEpoch: 0, baseSequence: 2 * round, recordCount: 2, transactional: false });
    const producerId = round % 2 === 0 ? 1n : 2n;
    await log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit: round % 3 === 0 });
    const end = log.watermarks.logEndOffset;
    await log.flushed(end);
    acknowledged(end);
    if (round === 3) await log.sealUnsealed();
  }
}

/** Opens, works and closes on a disk that dies at its `callsLeft`-th call; answers what the next one finds, and how much was promised. */
async function live(
  disk: CrashStorage,
  callsLeft: number,
  seed: number,
  begin: boolean,
): Promise<{ disk: CrashStorage; end: number; died: boolean; callCount: number }> {
  const dying = new DyingStorage(disk, callsLeft);
  const { context, spec } = rig(dying, OPTIONS);
  let end = 0;
  try {
    const log = begin ? await PartitionLog.create(context, spec) : await PartitionLog.open(context, spec);
    if (begin) await work(log, (each) => (end = each));
    await log.close(true);
  } catch {
    // The machine is dead; what it refused is no news.
  }
  return { disk: disk.crash(new SeededRandom(seed), {}), end, died: dying.callCount >= callsLeft, callCount: dying.callCount };
}

async function expectWhole(disk: CrashStorage, acknowledgedEnd: number): Promise<void> {
  const { log, events } = await opened(disk, OPTIONS);
  expect(log.failure).toBeNull();
  expect(log.watermarks.logEndOffset).toBeGreaterThanOrEqual(acknowledgedEnd);
  await expectTwin(log, await allBatches(log));
  // No file of ours was found to lie: what recovery needs was durable before it was relied upon.
  expect(events.filter(({ type }) => /^(txnindex|snapshot)\./.test(type))).toEqual([]);
  await log.close(true);
}

describe("a recovery point that moves within a segment", () => {
  it("waits for the batches that its snapshot knows of: none is known that a crash has taken", async () => {
    const clock = new ManualClock(NOW_MS);
    let logSyncMs = 0;
    const disk = crashStorage();
    const latencyMs = (call: string, name: string): number => (call === "sync" && name.endsWith(".log") ? logSyncMs : 0);
    const storage = faultyStorage(disk, { clock, latencyMs });
    const { log } = await created(storage, { ...OPTIONS, clock, recoveryPointIntervalBytes: 1 });
    logSyncMs = 10;
    const sent = { producerId: 1n, producerEpoch: 0, recordCount: 1, transactional: true };
    await sendAs(log, { ...sent, baseSequence: 0 });
    // Written when the flush has ended, just before the recovery point sets out: this is not durable yet.
    const stop = log.onProgress(() => {
      stop();
      void sendAs(log, { ...sent, baseSequence: 1 });
    });
    const acknowledged = log.flushed(1);
    await settled();
    await clock.advance(10);
    await acknowledged;
    await settled();
    expect(log.watermarks).toMatchObject({ highWatermark: 1, logEndOffset: 2 });
    await expectWhole(disk.crash(new SeededRandom(1), { survival: "nothing" }), 1);
  });

  it("has a snapshot, the only one that stands at no segment's beginning", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, { ...OPTIONS, config: { indexIntervalBytes: 100 } });
    const recoveryPoints = new Set<number>();
    for (let baseSequence = 0; baseSequence < 20; baseSequence += 1) {
      const { lastOffset } = await sendAs(log, { producerId: 1n, producerEpoch: 0, baseSequence, recordCount: 1, transactional: false });
      await log.flushed(lastOffset + 1);
      await log.sealUnsealed();
      const snapshots = (await disk.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".snapshot"));
      const { recoveryPoint } = log;
      expect(snapshots).toEqual(recoveryPoint === 0 ? [] : [`${String(recoveryPoint).padStart(20, "0")}.snapshot`]);
      recoveryPoints.add(recoveryPoint);
    }
    expect(recoveryPoints.size).toBeGreaterThan(3);
    await log.close(false);
  });
});

describe("a log with transactions that loses power", () => {
  it("at any call, in its work or at its close, knows its producers and transactions by what its log holds", async () => {
    for (let callsLeft = 12; ; callsLeft += 1) {
      const { disk, end, died } = await live(crashStorage({ sectorByteLength: 64 }), callsLeft, callsLeft, true);
      if (end > 0 || !died) await expectWhole(disk, end);
      if (!died) break;
      expect(callsLeft).toBeLessThan(2000);
    }
  }, 120_000);

  // What an unflushed `.txnindex` had grown by came back as zeros, and the whole of it was called wrong and told of, after a mere loss of power.
  it("does not take what stands behind the flushed part of a .txnindex for damage of it", async () => {
    const disk = crashStorage();
    const { log } = await created(disk, OPTIONS);
    const sent = { producerId: 1n, producerEpoch: 0, recordCount: 1, transactional: true };
    for (const baseSequence of [0, 1]) {
      await sendAs(log, { ...sent, baseSequence });
      const { lastOffset } = await log.appendMarker({ producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
      await log.flushed(lastOffset + 1);
      await log.sealUnsealed();
    }
    const aborted = await log.abortedTransactions(0, 4);
    expect(aborted.length).toBe(2);
    const left = disk.crash(new SeededRandom(1), { survival: "everything" });
    const name = (await left.list("orders-0")).map((entry) => entry.name).find((each) => each.endsWith(".txnindex")) ?? "";
    const file = await left.open(`orders-0/${name}`, { create: "no" });
    expect(file.byteLength()).toBeGreaterThan(0);
    file.writeAt(new Uint8Array(34), file.byteLength());
    await file.close();
    const again = await opened(left, OPTIONS);
    expect(await again.log.abortedTransactions(0, 4)).toEqual(aborted);
    expect(again.events.filter(({ type }) => /^(txnindex|snapshot)\./.test(type))).toEqual([]);
    await again.log.close(true);
  });

  it("at any call of a recovery, recovers to the same", async () => {
    const { callCount } = await live(crashStorage(), Number.POSITIVE_INFINITY, 0, true);
    for (const seed of [1, 2, 3, 4]) {
      for (let callsLeft = 1; ; callsLeft += 1) {
        const first = await live(crashStorage({ sectorByteLength: 64 }), Math.floor(callCount * (0.45 + 0.12 * seed)), seed, true);
        expect(first.died && first.end > 0).toBe(true);
        const second = await live(first.disk, callsLeft, callsLeft, false);
        await expectWhole(second.disk, first.end);
        if (!second.died) break;
        expect(callsLeft).toBeLessThan(500);
      }
    }
  }, 120_000);
});
