/** Batches and their pieces, as fast-check makes them up. */
import fc from "fast-check";
import type { SlowBatch, SlowRecord } from "./twin/batch.ts";

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
/** Around the borders of one- and two-byte varints, and of the writer's copy loop. */
export const anyBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  bytes(12),
  fc.constantFrom(23, 24, 25, 63, 64, 65, 300).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
);
export const anyHeaders: fc.Arbitrary<(readonly [Uint8Array, Uint8Array | null])[]> = fc.array(
  fc.tuple(bytes(8), fc.option(bytes(8), { nil: null })),
  { maxLength: 3 },
);
export const anyTimestamp: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_200 }),
  fc.constantFrom(-1, 0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);

export interface Sent {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [Uint8Array, Uint8Array | null])[];
  readonly timestamp: number;
}
export const anySent: fc.Arbitrary<Sent> = fc.record({
  key: fc.option(anyBytes),
  value: fc.option(anyBytes),
  headers: anyHeaders,
  timestamp: anyTimestamp,
});

/** A batch as a producer makes it: offsets 0, 1, 2 …, the base timestamp being the first. */
export function slowBatchOf(sent: readonly Sent[], header: Partial<SlowBatch> = {}): SlowBatch {
  const baseTimestamp = BigInt(sent[0]?.timestamp ?? -1);
  return {
    baseOffset: 0n,
    leaderEpoch: -1,
    attributes: 0,
    lastOffsetDelta: sent.length - 1,
    baseTimestamp,
    maxTimestamp: sent.reduce((largest, { timestamp }) => (BigInt(timestamp) > largest ? BigInt(timestamp) : largest), -1n),
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: sent.map(({ key, value, headers, timestamp }, i) => ({
      offsetDelta: i,
      timestampDelta: BigInt(timestamp) - baseTimestamp,
      key,
      value,
      headers,
    })),
    ...header,
  };
}

export const anyProducedBatch: fc.Arbitrary<SlowBatch> = fc
  .tuple(fc.array(anySent, { minLength: 1, maxLength: 6 }), fc.boolean())
  .map(([sent, transactional]) => slowBatchOf(sent, { attributes: transactional ? 0x10 : 0 }));

/** A batch as it may lie in a compacted log: gaps in its offsets, few different keys, any of the flags. */
export function anyStoredBatch(baseOffset: number): fc.Arbitrary<SlowBatch> {
  const record = fc.record({
    gap: fc.integer({ min: 1, max: 3 }),
    timestampDelta: fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n })),
    key: fc.option(
      fc.integer({ min: 0, max: 5 }).map((n) => new Uint8Array(n * 3).fill(n)),
      { freq: 8 },
    ),
    value: fc.option(bytes(10), { freq: 3 }),
    headers: anyHeaders,
  });
  return fc
    .tuple(fc.array(record, { maxLength: 8 }), fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 0x08, 0x10, 0x18, 0x30, 0x40, 0x48, 0x50))
    .map(([drafts, after, attributes]) => {
      let offsetDelta = -1;
      const records: SlowRecord[] = drafts.map(({ gap, ...rest }) => {
        offsetDelta += gap;
        return { ...rest, offsetDelta };
      });
      const baseTimestamp = 1_700_000_000_000n;
      const largest = records.reduce((most, { timestampDelta }) => (timestampDelta > most ? timestampDelta : most), -(2n ** 41n));
      return {
        baseOffset: BigInt(baseOffset),
        leaderEpoch: 3,
        attributes,
        lastOffsetDelta: Math.max(0, offsetDelta) + after,
        baseTimestamp,
        maxTimestamp: baseTimestamp + largest,
        producerId: 4000n,
        producerEpoch: 2,
        baseSequence: 7,
        records,
      };
    });
}
