/** A log with idempotent producers and transactions: lives with crashes at their calls; what is known afterwards is what the log says. */
import { deepStrictEqual } from "node:assert";
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { NOW_MS } from "../../log/log-rig.ts";
import {
  allBatches,
  committedBatches,
  type Logged,
  sendAs,
  twinAborted,
  twinCommitted,
  twinIds,
  twinProducer,
  twinStableOffset,
} from "../../log/producer-rig.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import { roomOf } from "./disk-room.ts";
import { bedOf, glanceAt, type LogSettings } from "./log-bed.ts";

const SETTINGS: LogSettings = {
  config: { segmentBytes: 700, indexIntervalBytes: 100 },
  maxUnflushedBytes: 600,
  recoveryPointIntervalBytes: 250,
};

interface ProducerFacts {
  /** What was acknowledged, in order: producer, sequence and offset of each batch, or the marker's decision. */
  acknowledged: string[];
  acknowledgedEnd: number;
}

const nameOf = ({ producerId, baseSequence, baseOffset, marker }: Logged): string =>
  marker === null
    ? `${producerId}/${baseSequence} at ${baseOffset}`
    : `${producerId} ${marker.commit ? "commits" : "aborts"} at ${baseOffset}`;

export const producerSubject: Subject<ProducerFacts> = {
  kind: "log with producers",
  clone: (facts) => ({ ...facts, acknowledged: facts.acknowledged.slice() }),
  version: (facts) => facts.acknowledgedEnd,
  glance: (disk, facts) => glanceAt(disk, SETTINGS, new ManualClock(NOW_MS), (log) => check(log, facts)),
  async survive(disk, facts, stages, random) {
    const { context, spec, alarms } = bedOf(disk, SETTINGS, new ManualClock(NOW_MS));
    const log = await PartitionLog.open(context, spec).catch((error: unknown) => {
      throw new Error(`C9: a crash was taken for damage: ${String(error)}`);
    });
    stages.opened();
    const batches = await check(log, facts);
    if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${alarms.join("; ")}`);
    stages.served();
    // Whoever was there goes on where it was, and what it sent last is known for a duplicate.
    const [producerId] = twinIds(batches);
    const known = producerId === undefined ? null : twinProducer(batches, producerId);
    const newest = known?.batches.at(-1);
    if (producerId !== undefined && known !== null && newest !== undefined) {
      const recordCount = newest.last - newest.first + 1;
      const sent = { producerId, producerEpoch: known.producerEpoch, recordCount, transactional: known.openFrom !== null };
      const again = await sendAs(log, { ...sent, baseSequence: newest.first });
      if (again.baseOffset !== newest.baseOffset)
        throw new Error(`C3: ${producerId}/${newest.first} stands at ${newest.baseOffset}, and again at ${again.baseOffset}`);
      const next = await sendAs(log, { ...sent, baseSequence: newest.last + 1 });
      await log.flushed(next.lastOffset + 1);
    } else {
      const next = await sendAs(log, {
        producerId: 77n,
        producerEpoch: 0,
        baseSequence: 0,
        recordCount: 1,
        transactional: random.chance(0.5),
      });
      await log.flushed(next.lastOffset + 1);
    }
    await check(log, facts);
  },
};

/** All that can be asked of a log of which everything is durable, held against the batches that stand in it, and those against what was promised. */
async function check(log: PartitionLog, facts: ProducerFacts): Promise<Logged[]> {
  if (log.failure !== null) throw new Error(`C9: a crash was taken for damage: ${log.failure.message}`);
  const batches = await allBatches(log);
  const { logEndOffset, lastStableOffset } = log.watermarks;
  if (logEndOffset < facts.acknowledgedEnd)
    throw new Error(`C1: ${facts.acknowledgedEnd} were acknowledged, the log ends at ${logEndOffset}`);
  if ((batches.at(-1)?.lastOffset ?? -1) + 1 !== logEndOffset)
    throw new Error(`C2: the log ends at ${logEndOffset}, its batches at ${batches.at(-1)?.lastOffset}`);
  const names = batches.map(nameOf);
  for (const [index, name] of facts.acknowledged.entries())
    if (names[index] !== name) throw new Error(`C3: expected batch ${index} to be ${name}, found ${names[index]}`);
  equal("producers", sorted([...log.producers.lastEntries()]), sorted(known(batches)));
  const open = twinIds(batches).flatMap((producerId) => {
    const firstOffset = twinProducer(batches, producerId)?.openFrom ?? null;
    return firstOffset === null ? [] : [{ producerId, firstOffset }];
  });
  const found = log.producers.openTransactions().map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
  equal("open transactions", sorted(found), sorted(open));
  const stable = twinStableOffset(batches, logEndOffset);
  equal("last stable offset", lastStableOffset, stable);
  equal("aborted transactions", await log.abortedTransactions(0, logEndOffset + 1), twinAborted(batches));
  equal("committed batches", await committedBatches(log, 0, 400), twinCommitted(batches, 0, stable));
  facts.acknowledged = names;
  facts.acknowledgedEnd = logEndOffset;
  return batches;
}

function known(batches: readonly Logged[]): { producerId: bigint; producerEpoch: number; lastDataOffset: number }[] {
  return twinIds(batches).map((producerId) => {
    const its = twinProducer(batches, producerId);
    return { producerId, producerEpoch: its?.producerEpoch ?? -1, lastDataOffset: its?.batches.at(-1)?.lastOffset ?? -1 };
  });
}

function sorted<Of extends { readonly producerId: bigint }>(list: Of[]): Of[] {
  return list.sort((one, other) => (one.producerId < other.producerId ? -1 : 1));
}

function equal(what: string, found: unknown, expected: unknown): void {
  try {
    deepStrictEqual(found, expected);
  } catch (cause) {
    const told = (of: unknown): string => JSON.stringify(of, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
    throw new Error(`${what}: the log's own batches say ${told(expected)}, it says ${told(found)}`, { cause });
  }
}

/** Producers whose transactions cross, and one without any. */
export async function producerLife(
  tree: CrashTree<ProducerFacts>,
  random: SeededRandom,
  perCall: number,
): Promise<Crashed<ProducerFacts>[]> {
  const disk = crashStorage({
    sectorByteLength: random.pick([64, 128]),
    ...latencyOf(random),
    ...roomOf(random),
  });
  const { context, spec } = bedOf(disk, SETTINGS, new ManualClock(NOW_MS));
  const log = await PartitionLog.create(context, spec);
  const facts: ProducerFacts = { acknowledged: [], acknowledgedEnd: 0 };
  const crashes: Crashed<ProducerFacts>[] = [];
  let round = 0;
  disk.watch((call, name) => {
    for (let left = perCall; left > 0; left -= 1)
      if (random.chance(Math.min(1, left))) crashes.push(tree.crash(disk, facts, `round ${round}, before ${call} ${name}`));
  });
  const sequences = new Map<bigint, number>();
  const open = new Set<bigint>();
  const firstId = BigInt(random.integer(0, 1_000_000));
  for (const end = random.integer(6, 16); round < end; round += 1) {
    const producerId = firstId + BigInt(random.integer(0, 3));
    const isLone = producerId === firstId;
    const written: Logged[] = [];
    if (open.has(producerId) && random.chance(0.45)) {
      const commit = random.chance(0.5);
      const { baseOffset, lastOffset } = await log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit });
      open.delete(producerId);
      written.push({ ...NO_BATCH, producerId, baseOffset, lastOffset, marker: { commit, coordinatorEpoch: 0 } });
    } else {
      const [baseSequence, recordCount] = [sequences.get(producerId) ?? 0, random.integer(1, 4)];
      const { baseOffset, lastOffset } = await sendAs(log, {
        producerId,
        producerEpoch: 0,
        baseSequence,
        recordCount,
        transactional: !isLone,
      });
      sequences.set(producerId, baseSequence + recordCount);
      if (!isLone) open.add(producerId);
      written.push({ ...NO_BATCH, producerId, baseSequence, baseOffset, lastOffset });
    }
    await log.flushed(log.watermarks.logEndOffset);
    facts.acknowledged.push(...written.map(nameOf));
    facts.acknowledgedEnd = log.watermarks.logEndOffset;
    if (random.chance(0.2)) await log.sealUnsealed();
  }
  await log.close(true);
  crashes.push(tree.crash(disk, facts, "at the end"));
  disk.watch(null);
  disk.halt();
  return crashes;
}

const NO_BATCH: Logged = {
  baseOffset: 0,
  lastOffset: 0,
  producerId: -1n,
  producerEpoch: 0,
  baseSequence: -1,
  transactional: false,
  timestamp: NOW_MS,
  marker: null,
};
