import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordCursor, RecordFramingError } from "../../src/base/record-decoder.ts";
import { anyProducedBatch, anyStoredBatch } from "../core/arbitraries.ts";
import { type SlowBatch, slowBatchBytes, slowReadRecords, slowRecordBytes } from "../core/twin/batch.ts";
import { fromHex, isCompressed, toHex, vectors } from "../core/vectors.ts";

const hexOrNull = (bytes: Uint8Array | null): string | null => (bytes === null ? null : toHex(bytes));
const text = new TextDecoder();

function everything(cursor: RecordCursor) {
  const records = [];
  while (cursor.next()) {
    records.push({
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      timestampInt64: cursor.timestampInt64,
      key: hexOrNull(cursor.key()),
      value: hexOrNull(cursor.value()),
      headers: cursor.decodeHeaders().map(([name, value]) => [toHex(name), hexOrNull(value)]),
    });
  }
  return records;
}

function expected(batch: SlowBatch) {
  const isLogAppendTime = (batch.attributes & 0x08) !== 0;
  return batch.records.map((record) => {
    const timestampInt64 = isLogAppendTime ? batch.maxTimestamp : BigInt.asIntN(64, batch.baseTimestamp + record.timestampDelta);
    return {
      offset: Number(batch.baseOffset) + record.offsetDelta,
      timestamp: Number(timestampInt64),
      timestampInt64,
      key: hexOrNull(record.key),
      value: hexOrNull(record.value),
      headers: record.headers.map(([name, value]) => [toHex(name), hexOrNull(value)]),
    };
  });
}

describe("the record cursor", () => {
  it("reads every plain batch of the vectors as it was written", () => {
    for (const batch of vectors.batches) {
      if (isCompressed(batch)) continue;
      const bytes = fromHex(batch.hex);
      if (batch.name === "15-large-varints") {
        expect(() => new RecordCursor(bytes), "its offsets are no numbers").toThrowError(/2\^53-1/);
        new DataView(bytes.buffer).setBigInt64(0, 0n);
      }
      const shift = batch.name === "15-large-varints" ? BigInt(batch.expect.baseOffset) : 0n;
      const records = everything(new RecordCursor(bytes)).map(({ headers, ...record }) => ({
        ...record,
        headers: headers.map(([name, value]) => [text.decode(fromHex(name as string)), value]),
      }));
      expect(records, batch.name).toEqual(
        batch.records.map(({ offset, timestamp, key, value, headers }) => ({
          offset: Number(BigInt(offset) - shift),
          timestamp: Number(timestamp),
          timestampInt64: BigInt(timestamp),
          key,
          value,
          headers,
        })),
      );
    }
  });

  it("names the codec of a batch it cannot read", () => {
    for (const batch of vectors.batches.filter(isCompressed)) {
      const codec = /gzip|snappy|lz4|zstd/.exec(batch.name)![0];
      expect(() => new RecordCursor(fromHex(batch.hex)), batch.name).toThrowError(
        expect.objectContaining({ code: "UNSUPPORTED_COMPRESSION_TYPE", message: expect.stringContaining(codec) }),
      );
    }
  });

  it("reads what was written, wherever in an array the batch begins", () => {
    fc.assert(
      fc.property(fc.oneof(anyProducedBatch, anyStoredBatch(70)), fc.nat(40), (batch, before) => {
        const bytes = new Uint8Array([...new Uint8Array(before).fill(0xff), ...slowBatchBytes(batch), ...new Uint8Array(9).fill(0xff)]);
        expect(everything(new RecordCursor(bytes, before))).toEqual(expected(batch));
      }),
      { numRuns: 400 },
    );
  });

  it("begun anew, wherever it stood, is as a new one; where that cannot be it stays where it was", () => {
    fc.assert(
      fc.property(fc.oneof(anyProducedBatch, anyStoredBatch(70)), anyProducedBatch, fc.nat(3), (batch, other, walked) => {
        const cursor = new RecordCursor(slowBatchBytes(other));
        for (let record = 0; record < walked && cursor.next(); record += 1) cursor.view(cursor.start, 1);
        const stood = [cursor.bytes, cursor.offset, cursor.timestamp, cursor.start];
        expect(() => cursor.begin(new Uint8Array(60), 0)).toThrowError(RecordFramingError);
        expect([cursor.bytes, cursor.offset, cursor.timestamp, cursor.start]).toEqual(stood);
        const bytes = slowBatchBytes(batch);
        cursor.begin(bytes, 0);
        expect([cursor.offset, cursor.timestamp]).toEqual([-1, new RecordCursor(bytes).timestamp]);
        expect(() => cursor.timestampInt64).toThrowError(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
        expect(cursor.view(0, bytes.length)).toEqual(bytes);
        expect(everything(cursor)).toEqual(expected(batch));
      }),
      { numRuns: 200 },
    );
  });

  it("gives the nearest number of a timestamp no number holds, and the exact one beside it", () => {
    const nanoseconds = 1_700_000_000_000_000_001n;
    const record = { offsetDelta: 0, key: null, value: null, headers: [] };
    for (const [baseTimestamp, timestampDelta] of [
      [nanoseconds, 0n],
      [nanoseconds, 3n],
      [0n, nanoseconds],
      [5n, -(2n ** 62n)],
      [2n ** 63n - 1n, -1n],
    ] as const) {
      const cursor = new RecordCursor(
        slowBatchBytes({
          baseOffset: 0n,
          leaderEpoch: 0,
          attributes: 0,
          lastOffsetDelta: 0,
          baseTimestamp,
          maxTimestamp: baseTimestamp,
          producerId: -1n,
          producerEpoch: -1,
          baseSequence: -1,
          records: [{ ...record, timestampDelta }],
        }),
      );
      cursor.next();
      expect([cursor.timestamp, cursor.timestampInt64]).toEqual([Number(baseTimestamp + timestampDelta), baseTimestamp + timestampDelta]);
    }
  });

  it("decodes every varint of the vectors", () => {
    for (const { value, zigzag64Hex } of [
      ...vectors.varlong,
      ...vectors.varint.map((varint) => ({ value: String(varint.value), zigzag64Hex: varint.zigzag32Hex })),
    ]) {
      const batch: SlowBatch = {
        baseOffset: 0n,
        leaderEpoch: 0,
        attributes: 0,
        lastOffsetDelta: 0,
        baseTimestamp: 0n,
        maxTimestamp: 0n,
        producerId: -1n,
        producerEpoch: -1,
        baseSequence: -1,
        records: [{ offsetDelta: 0, timestampDelta: BigInt(value), key: null, value: null, headers: [] }],
      };
      expect(toHex(new Uint8Array(slowRecordBytes(batch.records[0]!))), "the twin's encoding").toContain(`00${zigzag64Hex}00`);
      const cursor = new RecordCursor(slowBatchBytes(batch));
      cursor.next();
      expect(cursor.timestampInt64).toBe(BigInt(value));
    }
  });

  it("reads damaged bytes as the rules do or throws where it stands, and never reads past the batch", () => {
    let thrown = 0;
    fc.assert(
      fc.property(
        fc.oneof(anyProducedBatch, anyStoredBatch(9)),
        fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { maxLength: 3 }),
        (batch, damages) => {
          const bytes = slowBatchBytes(batch);
          for (const [place, byte] of damages) bytes[61 + (place % Math.max(1, bytes.length - 61))] = byte;
          // Another valid-looking batch behind it, which must not be touched.
          const whole = new Uint8Array([...bytes, ...bytes]);
          const records = slowReadRecords(bytes, 61, batch.records.length);
          let deltaMin = 0;
          const isLegal = records?.every(({ offsetDelta }) => {
            const rises = offsetDelta >= deltaMin && offsetDelta <= batch.lastOffsetDelta;
            deltaMin = offsetDelta + 1;
            return rises;
          });
          if (records !== null && isLegal === true) expect(everything(new RecordCursor(whole))).toEqual(expected({ ...batch, records }));
          else {
            thrown++;
            expect(() => everything(new RecordCursor(whole))).toThrowError(RecordFramingError);
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(thrown).toBeGreaterThan(100);
  });

  it("refuses a header that cannot be", () => {
    const bytes = fromHex(vectors.batches[0]!.hex);
    expect(() => new RecordCursor(bytes.subarray(0, 60))).toThrowError(RecordFramingError);
    expect(() => new RecordCursor(bytes.subarray(0, bytes.length - 1))).toThrowError(RecordFramingError);
    expect(() => new RecordCursor(bytes, -1)).toThrowError(RecordFramingError);
    for (const [at, value] of [
      [8, 10],
      [8, -1],
      [23, -1],
      [57, -1],
      [57, 2 ** 31 - 1],
    ] as const) {
      const broken = bytes.slice();
      new DataView(broken.buffer).setInt32(at, value);
      expect(() => new RecordCursor(broken), `${value} at ${at}`).toThrowError(RecordFramingError);
    }
  });

  it("says what does not add up: bytes behind the last record, a codec of no name, a timestamp without an end", () => {
    const one: SlowBatch = {
      baseOffset: 0n,
      leaderEpoch: 0,
      attributes: 0,
      lastOffsetDelta: 0,
      baseTimestamp: 0n,
      maxTimestamp: 0n,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      records: [{ offsetDelta: 0, timestampDelta: -1n << 62n, key: new Uint8Array(20), value: null, headers: [] }],
    };
    const bytes = slowBatchBytes(one);
    const longer = Uint8Array.of(...bytes, 0, 0, 0);
    new DataView(longer.buffer).setInt32(8, bytes.length - 12 + 3);
    const cursor = new RecordCursor(longer);
    expect(() => cursor.timestampInt64).toThrowError("stands on no record");
    expect(cursor.next()).toBe(true);
    expect(() => cursor.next()).toThrowError("3 bytes behind the batch's last record");

    const short = bytes.slice();
    short[61] = 2;
    for (const pass of [(over: RecordCursor) => over.next(), (over: RecordCursor) => over.skip(1)])
      expect(() => pass(new RecordCursor(short))).toThrowError("a record says it is 1 bytes long; the batch has ");

    const unnamed = bytes.slice();
    unnamed[22] = 7;
    expect(() => new RecordCursor(unnamed)).toThrowError("compressed with codec 7");

    // The record's length, its attributes, then the timestamp: here of more bytes than any has, into the key.
    const endless = bytes.slice();
    endless.fill(0xff, 63, 63 + 12);
    expect(() => new RecordCursor(endless).next()).toThrowError("a varlong of more than 10 bytes");
    const cut = slowBatchBytes({ ...one, records: [{ offsetDelta: 0, timestampDelta: 0n, key: null, value: null, headers: [] }] });
    cut.fill(0xff, 63);
    expect(() => new RecordCursor(cut).next()).toThrowError("the bytes end within a varlong");
  });
});
