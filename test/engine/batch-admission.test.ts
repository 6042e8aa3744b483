/** Which batches are let into a topic: to the byte, by what their headers say, and in which form they then stand. */
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { handOverOwn } from "../../src/base/own-batch.ts";
import { codecOf, readBatchHeader } from "../../src/base/record-batch.ts";
import { type Admitted, BatchAdmission } from "../../src/engine/batch-admission.ts";
import type { OpenTopic } from "../../src/engine/open-topic.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { compressionOf } from "../compression/support.ts";
import { type SlowBatch, slowBatchBytes } from "../core/twin/batch.ts";
import { core } from "../log/books/support.ts";

const compression = compressionOf(core);
const admission = new BatchAdmission(core, compression);
const log = { spec: { directory: "orders-0" } } as unknown as PartitionLog;

function topicOf(config: Partial<TopicConfig> = {}, frozen = false): OpenTopic {
  const all = { compressionType: "producer", cleanupPolicy: "delete", maxMessageBytes: 1 << 20, segmentBytes: 1 << 20, ...config };
  return { name: "orders", frozen, config: all } as unknown as OpenTopic;
}

function batchOf(facts: Partial<SlowBatch> = {}, key: Uint8Array | null = Uint8Array.of(1)): Uint8Array<ArrayBuffer> {
  return slowBatchBytes({
    baseOffset: 0n,
    leaderEpoch: -1,
    attributes: 0,
    lastOffsetDelta: 0,
    baseTimestamp: 1000n,
    maxTimestamp: 1000n,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    records: [{ offsetDelta: 0, timestampDelta: 0n, key, value: new Uint8Array(300).fill(97), headers: [] }],
    ...facts,
  });
}

const admit = (config: Partial<TopicConfig>, batch: Uint8Array): Admitted => admission.admit(topicOf(config), log, batch);
/** As a batch that our own writer has just finished: its header is believed. */
const admitOwn = (config: Partial<TopicConfig>, batch: Uint8Array<ArrayBuffer>): Admitted => handOverOwn(batch, () => admit(config, batch));
const caught = (call: () => unknown): unknown => {
  try {
    call();
    return "nothing was refused";
  } catch (error) {
    return error;
  }
};
const refusal = (code: string, words: string) => ({ code, message: expect.stringContaining(words) as string });

describe("a batch's length", () => {
  const batch = batchOf();
  const { byteLength } = batch;

  it("may be what maxMessageBytes and segmentBytes say, and not one byte more", () => {
    expect(admit({ maxMessageBytes: byteLength, segmentBytes: byteLength }, batch).batch).toBe(batch);
    for (const admitted of [admit, admitOwn]) {
      expect(caught(() => admitted({ maxMessageBytes: byteLength - 1 }, batch))).toMatchObject(
        refusal("MESSAGE_TOO_LARGE", `orders-0 may have ${byteLength - 1} bytes (maxMessageBytes); found ${byteLength}`),
      );
      expect(caught(() => admitted({ segmentBytes: byteLength - 1 }, batch))).toMatchObject(
        refusal("RECORD_LIST_TOO_LARGE", `orders-0 may have ${byteLength - 1} bytes (segmentBytes); found ${byteLength}`),
      );
    }
  });

  it("counts as it will stand, too, in the codec that the topic names", () => {
    const small = compression.compressBatch(batch, "gzip");
    expect(small.byteLength).toBeLessThan(byteLength);
    expect(caught(() => admit({ compressionType: "uncompressed", maxMessageBytes: byteLength - 1 }, small))).toMatchObject({
      code: "MESSAGE_TOO_LARGE",
    });
    expect(admit({ compressionType: "uncompressed", maxMessageBytes: byteLength }, small).batch).toEqual(batch);
    // Too little for gzip, which makes it longer.
    const noise = batchOf({ records: [{ offsetDelta: 0, timestampDelta: 0n, key: null, value: Uint8Array.of(1), headers: [] }] });
    const closed = compression.compressBatch(noise, "gzip");
    expect(closed.byteLength).toBeGreaterThan(noise.byteLength);
    expect(caught(() => admit({ compressionType: "gzip", maxMessageBytes: noise.byteLength }, noise))).toMatchObject({
      code: "MESSAGE_TOO_LARGE",
    });
  });
});

describe("a batch's form", () => {
  it.each([
    [null, "producer", null],
    [null, "uncompressed", null],
    [null, "lz4", "lz4"],
    ["lz4", "producer", "lz4"],
    ["lz4", "lz4", "lz4"],
    ["lz4", "gzip", "gzip"],
    ["lz4", "uncompressed", null],
  ] as const)(
    "sent as %s to a topic of %s stands as %s, whoever finished it; what need not change is the sender's own bytes",
    (sent, compressionType, stored) => {
      const plain = batchOf();
      for (const admitted of [admit, admitOwn]) {
        const batch = sent === null ? plain.slice() : (compression.compressBatch(plain, sent).slice() as Uint8Array<ArrayBuffer>);
        const { batch: found, verdict } = admitted({ compressionType }, batch);
        expect(codecOf(readBatchHeader(found).attributes)).toBe(stored ?? "none");
        if (sent === stored) expect(found).toBe(batch);
        expect(compression.decompressBatch(found)).toEqual(plain);
        expect(verdict).toMatchObject({ recordCount: 1, maxTimestamp: 1000 });
      }
    },
  );

  it("is looked at record by record for a compacted topic, also of a batch that our own writer finished", () => {
    const keyless = batchOf({}, null);
    for (const cleanupPolicy of ["compact", "compact,delete"] as const)
      for (const admitted of [admit, admitOwn])
        expect(caught(() => admitted({ cleanupPolicy }, keyless))).toMatchObject(refusal("INVALID_RECORD", '"orders" is compacted'));
    expect(admitOwn({}, keyless).verdict.recordCount).toBe(1);
    expect(admit({}, keyless).verdict.recordCount).toBe(1);
  });
});

describe("a batch's producer", () => {
  const numbered = (producerEpoch: number, baseSequence: number, attributes = 0): Uint8Array<ArrayBuffer> =>
    batchOf({ producerId: 0n, producerEpoch, baseSequence, attributes });

  it("of id 0, epoch 0 and sequence 0 is one, in a transaction or not", () => {
    for (const admitted of [admit, admitOwn])
      for (const attributes of [0, 0x10]) expect(admitted({}, numbered(0, 0, attributes)).verdict.recordCount).toBe(1);
  });

  it("with an id and without an epoch or a sequence, or in a transaction without an id, is none", () => {
    for (const admitted of [admit, admitOwn]) {
      for (const [epoch, sequence] of [
        [-1, 0],
        [0, -1],
      ] as const)
        expect(caught(() => admitted({}, numbered(epoch, sequence)))).toMatchObject(
          refusal("INVALID_RECORD", `found ${epoch} and ${sequence}`),
        );
      expect(caught(() => admitted({}, batchOf({ attributes: 0x10 })))).toMatchObject(refusal("INVALID_RECORD", "has no producer id"));
    }
  });
});

describe("a refusal", () => {
  it("of a topic that is another writer's comes before anything is looked at", () => {
    expect(caught(() => admission.admit(topicOf({ maxMessageBytes: 1 }, true), log, new Uint8Array(9)))).toMatchObject({
      name: "UsageError",
      code: "TOPIC_NOT_ADOPTED",
    });
  });

  it("names the place, both checksums, and the directory", () => {
    const bent = batchOf();
    bent[bent.length - 1] = 9;
    expect(caught(() => admit({}, bent))).toMatchObject(refusal("CORRUPT_MESSAGE", "the batch for orders-0 is refused: checksum at byte"));
    const closed = compression.compressBatch(batchOf(), "lz4").slice();
    // A stored sum of few digits, in full.
    closed.set([0, 0, 0, 0x1f], 17);
    const computed = core.crc32c(closed.subarray(21)).toString(16).padStart(8, "0");
    expect(caught(() => admit({}, closed))).toMatchObject(
      refusal("CORRUPT_MESSAGE", `orders-0 is refused: checksum at byte 17: computed ${computed}, stored 0000001f`),
    );
  });

  it("of what is shorter than a header, by a byte or by all of it, is a refusal and no fault of ours", () => {
    for (const byteLength of [0, 1, 60])
      expect(caught(() => admit({}, new Uint8Array(byteLength)))).toMatchObject({ name: "UsageError", code: "INVALID_RECORD" });
  });

  it("of a base offset names the one that was found", () => {
    expect(caught(() => admit({}, batchOf({ baseOffset: 5n })))).toMatchObject(
      refusal("INVALID_RECORD", "expected base offset 0, found 5"),
    );
  });
});
