/** The log of a compacted topic: rolls under way and passes, with crashes at their calls, and how what is left is held to the laws of compaction. */
import { PartitionLog } from "../../../src/log/partition-log.ts";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { ManualClock } from "../../../src/testing/manual-clock.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { compactAll, type KeyedPut, type KeyedRecord, keyedBatch, readKeyed } from "../../log/compaction-rig.ts";
import { lawsBroken } from "../../log/compaction-twin.ts";
import { NOW_MS } from "../../log/log-rig.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import { roomOf } from "./disk-room.ts";
import { bedOf, DIRECTORY, glanceAt, type LogSettings } from "./log-bed.ts";

const HOUR_MS = 3_600_000;
const SEGMENT_BYTES = 260;
/** With more of it unflushed, several segments are rolled while the flush of the first is under way. */
export const keyedSettings = (durability: "sync" | "os", maxUnflushedBytes: number): LogSettings => ({
  config: {
    cleanupPolicy: "compact",
    segmentBytes: SEGMENT_BYTES,
    indexIntervalBytes: 50,
    maxMessageBytes: 250,
    deleteRetentionMs: HOUR_MS,
    durability,
  },
  maxUnflushedBytes,
});
/** Of the crashes at calls of passes, so many at each call of what is put before. */
const PUTS_SHARE = 0.5;
const KEYS = ["a", "b", "c", "gone"];
/** What a pass leaves behind when it was cut short, and no opening may leave. */
const LEFT_BY_PASSES = /\.(cleaned|swap)$/;

interface KeyedFacts {
  /** By offset: what was handed over for it, acknowledged or not, and what was found there. */
  history: (KeyedRecord | undefined)[];
  /** Handed over, acknowledged or not, as key and value. */
  sent: Set<string>;
  /** Of what is handed over next: appends stand in the order of their calls. */
  nextOffset: number;
  acknowledgedEnd: number;
  /** Below this a loss of power takes nothing. */
  durableEnd: number;
  /** A pass has begun: until then no offset lacks. */
  isCleaned: boolean;
  valueCount: number;
  nowMs: number;
}

export const keyedSubject = (settings: LogSettings): Subject<KeyedFacts> => ({
  kind: "compacted log",
  clone: (facts) => ({ ...facts, history: facts.history.slice(), sent: new Set(facts.sent) }),
  version: (facts) => facts.acknowledgedEnd * 4096 + facts.durableEnd,
  losePower(facts) {
    facts.acknowledgedEnd = Math.min(facts.acknowledgedEnd, facts.durableEnd);
  },
  glance: (disk, facts) => glanceAt(disk, settings, new ManualClock(facts.nowMs), (log) => check(log, facts)),
  async survive(disk, facts, stages, random) {
    const clock = new ManualClock(facts.nowMs + random.pick([0, 2 * HOUR_MS]));
    const { context, spec, alarms } = bedOf(disk, settings, clock);
    const log = await PartitionLog.open(context, spec).catch((error: unknown) => {
      throw new Error(`C9: a crash was taken for damage: ${String(error)}`);
    });
    stages.opened();
    await check(log, facts);
    // What a recovery serves it has flushed.
    facts.durableEnd = facts.acknowledgedEnd;
    if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${alarms.join("; ")}`);
    const left = (await disk.list(DIRECTORY)).map(({ name }) => name).filter((name) => LEFT_BY_PASSES.test(name));
    if (left.length > 0) throw new Error(`after recovery there are ${left.join(", ")}`);
    stages.served();
    await put(log, facts, random.pick(KEYS), random);
    await check(log, facts);
    if (!random.chance(0.05)) return;
    await roll(log, facts);
    facts.isCleaned = true;
    await compactAll(log);
    await check(log, facts);
  },
});

/** Throws what is wrong; takes what nobody was told of for known. */
async function check(log: PartitionLog, facts: KeyedFacts): Promise<void> {
  if (log.failure !== null) throw new Error(`C9: a crash was taken for damage: ${log.failure.message}`);
  const { logEndOffset, highWatermark } = log.watermarks;
  if (highWatermark !== logEndOffset) throw new Error(`C1: the log ends at ${logEndOffset}, readers at ${highWatermark}`);
  if (logEndOffset < facts.acknowledgedEnd)
    throw new Error(`C1: ${facts.acknowledgedEnd} were acknowledged, the log ends at ${logEndOffset}`);
  const found = await readKeyed(log, undefined, 300);
  for (const record of found) {
    if (facts.history[record.offset] === undefined && !facts.sent.has(`${record.key} ${record.value}`))
      throw new Error(`C3: at ${record.offset} found ${record.key}: ${record.value}, which was never sent`);
    facts.history[record.offset] ??= record;
  }
  const broken = lawsBroken(facts.history as KeyedRecord[], found, 0, facts.acknowledgedEnd);
  if (broken !== null) throw new Error(`C1: ${broken}`);
  if (!facts.isCleaned && found.length !== logEndOffset)
    throw new Error(`C2: nothing was compacted, and of ${logEndOffset} records ${found.length} are there`);
  facts.history.length = logEndOffset;
  facts.acknowledgedEnd = facts.nextOffset = logEndOffset;
}

async function put(log: PartitionLog, facts: KeyedFacts, key: string, random: SeededRandom): Promise<void> {
  const puts: KeyedPut[] = [[key, random.chance(0.25) ? null : newValue(facts)]];
  if (random.chance(0.4)) puts.push([random.pick(KEYS), newValue(facts)]);
  await send(log, facts, puts);
}

/** A batch that fills a segment, so that the one before is sealed. */
async function roll(log: PartitionLog, facts: KeyedFacts): Promise<void> {
  await send(log, facts, [["roll", newValue(facts).padEnd(SEGMENT_BYTES - 90, "x")]]);
  await log.sealUnsealed();
}

function newValue(facts: KeyedFacts): string {
  facts.valueCount += 1;
  return `${facts.valueCount}`;
}

async function send(log: PartitionLog, facts: KeyedFacts, puts: readonly KeyedPut[]): Promise<void> {
  const expectedOffset = facts.nextOffset;
  for (const [key, value] of puts) {
    facts.sent.add(`${key} ${value}`);
    facts.history[facts.nextOffset] = { offset: facts.nextOffset, key, value };
    facts.nextOffset += 1;
  }
  const maxTimestamp = facts.nowMs;
  const { baseOffset, lastOffset } = await log.append(keyedBatch(puts, maxTimestamp), { recordCount: puts.length, maxTimestamp });
  if (baseOffset !== expectedOffset) throw new Error(`C4: expected to be put at ${expectedOffset}, was put at ${baseOffset}`);
  const reached = await log.flushed(lastOffset + 1);
  facts.acknowledgedEnd = Math.max(facts.acknowledgedEnd, lastOffset + 1);
  if (reached === "power") facts.durableEnd = Math.max(facts.durableEnd, lastOffset + 1);
}

/** A life of puts and passes, crashed at their calls, the second pass with tombstones past their horizon. */
export async function keyedLife(
  tree: CrashTree<KeyedFacts>,
  random: SeededRandom,
  settings: LogSettings,
  perCall: number,
): Promise<Crashed<KeyedFacts>[]> {
  const disk = crashStorage({
    sectorByteLength: random.pick([64, 128]),
    ...latencyOf(random),
    ...roomOf(random),
  });
  const clock = new ManualClock(NOW_MS);
  const facts: KeyedFacts = {
    history: [],
    sent: new Set(),
    nextOffset: 0,
    acknowledgedEnd: 0,
    durableEnd: 0,
    isCleaned: false,
    valueCount: random.integer(0, 1000),
    nowMs: NOW_MS,
  };
  const { context, spec } = bedOf(disk, settings, clock);
  const log = await PartitionLog.create(context, spec);
  const crashes: Crashed<KeyedFacts>[] = [];
  for (let pass = 0; pass < 2; pass += 1) {
    const watch = (when: string, share: number): void =>
      disk.watch((call, name) => {
        for (let left = perCall * share; left > 0; left -= 1)
          if (random.chance(Math.min(1, left))) crashes.push(tree.crash(disk, facts, `${when} ${pass}, before ${call} ${name}`));
      });
    watch("before pass", PUTS_SHARE);
    const count = random.integer(2, 9);
    if (random.chance(0.5)) await Promise.all(Array.from({ length: count }, () => put(log, facts, random.pick(KEYS), random)));
    else for (let each = 0; each < count; each += 1) await put(log, facts, random.pick(KEYS), random);
    await roll(log, facts);
    watch("pass", 1);
    facts.isCleaned = true;
    await compactAll(log, random.chance(0.3) ? { dedupeBufferByteLength: 240 } : {});
    disk.watch(null);
    await clock.advance(2 * HOUR_MS);
    facts.nowMs = clock.now();
  }
  crashes.push(tree.crash(disk, facts, "at the end"));
  disk.halt();
  return crashes;
}
