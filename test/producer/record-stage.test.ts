/** Records that wait side by side: each stays what it was, however many come behind it, and whoever had their memory before. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WireHeaders } from "../../src/producer/record-size.ts";
import { RecordStage } from "../../src/producer/record-stage.ts";

interface Given {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: WireHeaders | null;
  readonly timestamp: number;
}

const part = fc.option(
  fc.oneof(
    { weight: 6, arbitrary: fc.uint8Array({ maxLength: 30 }) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 700, maxLength: 1500 }) },
  ),
);
const headers: fc.Arbitrary<WireHeaders | null> = fc.option(
  fc.array(fc.tuple(fc.uint8Array({ maxLength: 3 }), fc.constant(null)), { minLength: 1, maxLength: 2 }),
  { freq: 2 },
);
const given: fc.Arbitrary<Given> = fc.record({ key: part, value: part, headers, timestamp: fc.nat() });
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ stage: fc.nat(2), record: given }) },
  { weight: 2, arbitrary: fc.record({ stage: fc.nat(2), record: fc.constant(null) }) },
);

function expectShown(stage: RecordStage, expected: readonly Given[]): void {
  expect(stage.count).toBe(expected.length);
  for (const [at, { key, value, headers: of, timestamp }] of expected.entries()) {
    expect([stage.headers(at), stage.timestamps[at]]).toEqual([of, timestamp]);
    for (const [is, was] of [
      [stage.key(at), key],
      [stage.value(at), value],
    ] as const) {
      expect(is === null || was === null ? is === was : Buffer.compare(is, was) === 0).toBe(true);
    }
  }
}

describe("a stage of records", () => {
  it("shows each as it was given, whatever stands in others, and is empty when it is used anew", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stages = Array.from({ length: 3 }, () => ({ stage: new RecordStage(), expected: [] as Given[] }));
        for (const { stage: index, record } of steps) {
          const each = stages[index] as (typeof stages)[number];
          if (record === null) {
            expectShown(each.stage, each.expected);
            each.stage.release();
            // Given away once, however often it is said.
            each.stage.release();
            each.stage.reset();
            each.expected = [];
          } else {
            // What is lent may change as soon as it was taken.
            const [key, value] = [record.key?.slice() ?? null, record.value?.slice() ?? null];
            each.stage.add(key, value, record.headers, record.timestamp);
            key?.fill(0xee);
            value?.fill(0xee);
            each.expected.push(record);
          }
        }
        for (const { stage, expected } of stages) expectShown(stage, expected);
      }),
      { numRuns: 60 },
    );
  });
});
