/** Whatever history of puts, deletes, passes, retention and reopenings a compacted log has, it holds what the slow twin says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compactAll, type KeyedPut, PASS, put, readKeyed } from "./compaction-rig.ts";
import { lawsBroken, Twin } from "./compaction-twin.ts";
import { created, NOW_MS, opened, type Rig } from "./log-rig.ts";

const HOUR_MS = 3_600_000;

type Step =
  | { readonly do: "put"; readonly puts: readonly KeyedPut[] }
  | { readonly do: "compact" }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "delete"; readonly share: number }
  | { readonly do: "reopen"; readonly clean: boolean; readonly remembersPass: boolean };

const key = fc.constantFrom("a", "b", "c", "d", "e");
const value = fc.oneof({ weight: 3, arbitrary: fc.string({ maxLength: 30 }) }, { weight: 1, arbitrary: fc.constant(null) });
const keyed: fc.Arbitrary<KeyedPut> = fc.tuple(fc.oneof({ weight: 9, arbitrary: key }, { weight: 1, arbitrary: fc.constant(null) }), value);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("put" as const), puts: fc.array(keyed, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.constant({ do: "compact" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, HOUR_MS / 2, 2 * HOUR_MS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const), clean: fc.boolean(), remembersPass: fc.boolean() }) },
);
const config: fc.Arbitrary<Partial<TopicConfig>> = fc.record({
  cleanupPolicy: fc.constant("compact,delete" as const),
  segmentBytes: fc.constantFrom(200, 300, 700),
  maxMessageBytes: fc.constant(200),
  indexIntervalBytes: fc.constantFrom(0, 100, 4096),
  deleteRetentionMs: fc.constantFrom(0, HOUR_MS, Number.POSITIVE_INFINITY),
  preallocate: fc.boolean(),
});

interface Life {
  readonly twin: Twin;
  readonly clock: ManualClock;
  rig: { log: PartitionLog } & Rig;
  /** Whether the twin is held to the record, or the laws alone: a map too small passes over the log more than once. */
  readonly isExact: boolean;
}

/** What the histories met: a law that was never put to the test proves nothing. */
const met = { passes: 0, rounds: 0, removed: 0, merged: 0, horizonsPassed: 0 };

async function take(
  life: Life,
  storage: ReturnType<typeof memory>,
  settings: Partial<TopicConfig>,
  dedupeBufferByteLength: number,
  one: Step,
): Promise<void> {
  const { twin, clock, isExact } = life;
  const { log } = life.rig;
  if (one.do === "put") twin.append(await put(log, one.puts, clock.now()), one.puts);
  else if (one.do === "wait") await clock.advance(one.ms);
  else if (one.do === "delete") {
    const { highWatermark, logStartOffset } = log.watermarks;
    twin.logStartOffset = await log.deleteRecordsBefore(logStartOffset + Math.floor((highWatermark - logStartOffset) * one.share));
    await log.applyRetention();
    // What was deleted with its segment cannot delete or supersede anything any more.
    const kept = log.watermarks.logStartOffset;
    twin.batches = twin.batches.filter(({ nextOffset }) => nextOffset > kept);
  } else if (one.do === "compact") {
    const need = await log.compactionNeed(clock.now());
    const before = await readKeyed(log);
    const { logEndOffset } = log.watermarks;
    const result = await compactAll(log, { dedupeBufferByteLength });
    if (need.cleanableBytes > 0 && isExact)
      twin.compact(need.firstDirtyOffset, result.firstDirtyOffset, clock.now(), log.spec.config().deleteRetentionMs);
    met.passes += Math.min(1, result.rounds);
    met.rounds += result.rounds;
    met.removed += result.recordsBefore - result.recordsAfter;
    met.merged += result.segmentsBefore - result.segmentsAfter;
    const after = await readKeyed(log);
    const offsetsAfter = new Set(after.map(({ offset }) => offset));
    const newest = new Map(
      after
        .concat(before)
        .map((record) => [record.key, Math.max(...before.filter((each) => each.key === record.key).map(({ offset }) => offset))]),
    );
    met.horizonsPassed += before.filter(
      (each) => each.value === null && newest.get(each.key) === each.offset && !offsetsAfter.has(each.offset),
    ).length;
    const offsetsBefore = new Set(before.map(({ offset }) => offset));
    expect(
      after.filter(({ offset }) => !offsetsBefore.has(offset)),
      "nothing comes back",
    ).toEqual([]);
    expect(log.watermarks.logEndOffset, "the log's end stays").toBe(logEndOffset);
    expect((await log.compactionNeed(clock.now())).cleanableBytes, "a pass leaves nothing to clean").toBe(0);
  } else {
    const { firstDirtyOffset } = log;
    await log.close(one.clean);
    const checkpoint = { recoveryPoint: null, logStartOffset: null, firstDirtyOffset: one.remembersPass ? firstDirtyOffset : null };
    life.rig = await opened(storage, { config: settings, clock, cleanShutdown: one.clean, checkpoint });
    expect(life.rig.log.failure).toBeNull();
    expect(life.rig.events.filter(({ type }) => type.startsWith("recovery") || type.startsWith("seal"))).toEqual([]);
  }
  const found = await readKeyed(life.rig.log, undefined, 300);
  expect(lawsBroken(twin.history, found, life.rig.log.watermarks.logStartOffset)).toBeNull();
  if (isExact) expect(found).toEqual(twin.visible());
}

describe("compaction", () => {
  it.each([
    { what: "with room for every key", dedupeBufferByteLength: PASS.dedupeBufferByteLength, isExact: true },
    // The map takes nine keys by then, of five that there are: so keys are made many.
    { what: "with a map that is full before the pass is over", dedupeBufferByteLength: 240, isExact: false },
  ])(
    "$what: the log holds what the twin says, after every step of any history",
    async ({ dedupeBufferByteLength, isExact }) => {
      const anyKey = isExact ? fc.constant(null) : fc.nat(40);
      await fc.assert(
        fc.asyncProperty(config, fc.array(fc.tuple(step, anyKey), { maxLength: 60, size: "max" }), async (settings, steps) => {
          const storage = memory();
          const clock = new ManualClock(NOW_MS);
          const life: Life = { twin: new Twin(), clock, rig: await created(storage, { config: settings, clock }), isExact };
          for (const [one, suffix] of steps) {
            const spread =
              one.do !== "put" || suffix === null
                ? one
                : { ...one, puts: one.puts.map(([k, v]) => [k === null ? null : `${k}${suffix}`, v] as const) };
            await take(life, storage, settings, dedupeBufferByteLength, spread);
          }
          await life.rig.log.close(true);
        }),
        { numRuns: 60 },
      );
    },
    120_000,
  );
});
