import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  readBigInt64,
  readInt16,
  readInt32,
  readInt64,
  writeBigInt64,
  writeInt16,
  writeInt32,
  writeInt64,
} from "../../src/base/big-endian.ts";
import {
  codecOf,
  hasDeleteHorizon,
  isControl,
  isLogAppendTime,
  isTransactional,
  offsetsAreSafe,
  readBatchHeader,
  stampBatch,
  stampChecksum,
  stampLogAppendTime,
} from "../../src/base/record-batch.ts";
import { slowCrc32c } from "../core/twin/crc32c.ts";
import { fromHex, toHex, vectors } from "../core/vectors.ts";

const core = { crc32c: slowCrc32c };

describe("a batch header", () => {
  it("reads as the vectors say", () => {
    for (const { name, hex, expect: fields } of vectors.batches) {
      const header = readBatchHeader(new Uint8Array([1, 2, 3, ...fromHex(hex)]), 3);
      expect(header, name).toEqual({
        baseOffset: Number(fields.baseOffset),
        lastOffset: Number(fields.baseOffset) + fields.lastOffsetDelta,
        byteLength: fields.batchLength + 12,
        leaderEpoch: fields.partitionLeaderEpoch,
        magic: 2,
        checksum: fields.crc,
        attributes: fields.attributes,
        lastOffsetDelta: fields.lastOffsetDelta,
        baseTimestamp: Number(fields.baseTimestamp),
        maxTimestamp: Number(fields.maxTimestamp),
        producerId: BigInt(fields.producerId),
        producerEpoch: fields.producerEpoch,
        baseSequence: fields.baseSequence,
        recordCount: fields.recordCount,
      });
      expect(offsetsAreSafe(header), name).toBe(name !== "15-large-varints");
      expect(isControl(header.attributes), name).toBe(name.includes("control"));
      expect(isTransactional(header.attributes), name).toBe(/control|transactional/.test(name));
      expect(codecOf(header.attributes), name).toBe(/gzip|snappy|lz4|zstd/.exec(name)?.[0] ?? "none");
    }
  });

  it("is stamped with its place as a broker stamps it", () => {
    const batch = fromHex(vectors.batches.find(({ name }) => name === "01-single-record")!.hex);
    stampBatch(batch, 42, 5);
    expect(toHex(batch)).toBe(vectors.batches.find(({ name }) => name === "02-single-record-after-broker-assign")!.hex);
  });

  it("is stamped with the log's time, and its checksum holds again", () => {
    const batch = fromHex(vectors.batches[0]!.hex);
    stampLogAppendTime(batch, 1_800_000_000_123);
    stampChecksum(batch, core);
    const header = readBatchHeader(batch);
    expect([isLogAppendTime(header.attributes), hasDeleteHorizon(header.attributes), header.maxTimestamp]).toEqual([
      true,
      false,
      1_800_000_000_123,
    ]);
    expect(header.checksum).toBe(slowCrc32c(batch.subarray(21)));
  });

  it("is not read where it does not fit", () => {
    expect(() => readBatchHeader(new Uint8Array(60))).toThrowError(RangeError);
    expect(() => readBatchHeader(new Uint8Array(70), 10)).toThrowError(RangeError);
  });
});

describe("whole numbers in Kafka's byte order", () => {
  it("are what DataView reads and writes", () => {
    const bytes = new Uint8Array(12);
    const view = new DataView(bytes.buffer);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(4), (value, at) => {
        view.setBigInt64(at, value);
        expect([readBigInt64(bytes, at), readInt64(bytes, at)]).toEqual([value, Number(value)]);
        expect([readInt32(bytes, at), readInt16(bytes, at)]).toEqual([view.getInt32(at), view.getInt16(at)]);
        bytes.fill(0);
        writeBigInt64(bytes, at, value);
        expect(view.getBigInt64(at)).toBe(value);
        writeInt32(bytes, at, Number(BigInt.asIntN(32, value)));
        expect(view.getInt32(at)).toBe(Number(BigInt.asIntN(32, value)));
        writeInt16(bytes, at, Number(BigInt.asIntN(16, value)));
        expect(view.getInt16(at)).toBe(Number(BigInt.asIntN(16, value)));
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        writeInt64(bytes, 0, value);
        expect(view.getBigInt64(0)).toBe(BigInt(value));
      }),
    );
  });
});
