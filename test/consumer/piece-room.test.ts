/** Pieces of batches: where each lies, which memory it is read to, and when it must be read again. */
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../src/api/bytes.ts";
import { readInt32 } from "../../src/base/big-endian.ts";
import { batchByteLengthAt, CRC_AT, HEADER_BYTE_LENGTH, RECORD_COUNT_AT } from "../../src/base/record-batch.ts";
import { RecordCursor } from "../../src/base/record-decoder.ts";
import { BatchOutline, type BatchPiece } from "../../src/consumer/batch-outline.ts";
import { PieceRoom } from "../../src/consumer/piece-room.ts";
import { joined, logHolding, sliceAt, storedBatch } from "./stored-batch.ts";

const ROOM_BYTE_LENGTH = 16_384;
const RECORD_COUNT = 60;

function outlineOf(batch: Bytes): BatchOutline {
  return BatchOutline.of(sliceAt(batch, 0, batch.length)) as BatchOutline;
}

/** Each piece once. */
function piecesOf(outline: BatchOutline, recordCount: number): BatchPiece[] {
  const pieces: BatchPiece[] = [];
  for (let index = 0; index < recordCount; ) {
    const piece = outline.pieceOf(index);
    pieces.push(piece);
    index = piece.firstIndex + piece.recordCount;
  }
  return pieces;
}

describe("the outline of a batch", () => {
  it("knows where each piece begins, from the batch's first byte on, wherever the batch lies", () => {
    const batch = storedBatch(7, new Array(RECORD_COUNT).fill(90));
    const bytes = joined(new Uint8Array(33).fill(0xee), batch, storedBatch(7 + RECORD_COUNT, [5]));
    const outline = BatchOutline.of(sliceAt(bytes, 33, batch.length)) as BatchOutline;
    const recordByteLength = (batch.length - HEADER_BYTE_LENGTH) / RECORD_COUNT;
    // So many as come nearest to a kibibyte, and one less.
    const stride = Math.floor((1024 * RECORD_COUNT) / batch.length);
    expect(stride).toBe(10);
    const pieces = piecesOf(outline, RECORD_COUNT);
    expect(pieces).toEqual(
      Array.from({ length: RECORD_COUNT / stride }, (_, place) => ({
        firstIndex: place * stride,
        recordCount: stride,
        from: HEADER_BYTE_LENGTH + place * stride * recordByteLength,
        until: HEADER_BYTE_LENGTH + (place + 1) * stride * recordByteLength,
      })),
    );
    for (let index = 0; index < RECORD_COUNT; index += 1) expect(outline.pieceOf(index)).toEqual(pieces[Math.floor(index / stride)]);
    expect(outline.heldByteLength).toBe(4 * pieces.length);
    expect(outline.part).toEqual({
      topic: "orders",
      partition: 0,
      baseOffset: 7,
      byteLength: batch.length,
      checksum: readInt32(batch, CRC_AT),
      from: 0,
      place: null,
    });
  });

  it("ends with a piece of the records that are left", () => {
    const batch = storedBatch(0, new Array(103).fill(90));
    const last = outlineOf(batch).pieceOf(102);
    expect([last.firstIndex, last.recordCount, last.until]).toEqual([100, 3, batch.length]);
    expect(outlineOf(batch).heldByteLength).toBe(4 * 11);
  });

  it("is made of the shortest records there are, and of records longer than a piece, each its own", () => {
    const shortest = storedBatch(0, new Array(1000).fill(null));
    const pieces = piecesOf(outlineOf(shortest), 1000);
    expect(pieces.reduce((sum, { recordCount }) => sum + recordCount, 0)).toBe(1000);
    expect(pieces.at(-1)?.until).toBe(shortest.length);
    const long = storedBatch(0, [3000, 3000, 3000]);
    expect(piecesOf(outlineOf(long), 3).map(({ recordCount }) => recordCount)).toEqual([1, 1, 1]);
  });

  it("puts a header before a piece that says how long it is and how many records it has, and of which offsets", () => {
    const batch = storedBatch(50, new Array(103).fill(90));
    const outline = outlineOf(batch);
    const room = new PieceRoom();
    for (const piece of piecesOf(outline, 103)) {
      const bytes = room.batchOf(outline, piece, logHolding(batch)) as Bytes;
      expect(batchByteLengthAt(bytes)).toBe(HEADER_BYTE_LENGTH + piece.until - piece.from);
      expect(readInt32(bytes, RECORD_COUNT_AT)).toBe(piece.recordCount);
      const cursor = new RecordCursor(bytes);
      const offsets: number[] = [];
      while (cursor.next()) offsets.push(cursor.offset);
      expect(offsets).toEqual(Array.from({ length: piece.recordCount }, (_, index) => 50 + piece.firstIndex + index));
    }
  });
});

describe("the room that pieces are read to", () => {
  const [one, other] = [storedBatch(0, new Array(RECORD_COUNT).fill(90)), storedBatch(RECORD_COUNT, new Array(RECORD_COUNT).fill(90))];

  it("has the last piece for as long as no other is asked for: another place, and the same place of another batch, are read", () => {
    const room = new PieceRoom();
    const [first, second] = [outlineOf(one), outlineOf(other)];
    const [log, otherLog] = [logHolding(one), logHolding(other)];
    const filling = (bytes: Bytes | null): number => {
      const cursor = new RecordCursor(bytes as Bytes);
      cursor.next();
      return cursor.value()?.[0] as number;
    };
    const ask = (outline: BatchOutline, index: number): number =>
      filling(room.batchOf(outline, outline.pieceOf(index), outline === first ? log : otherLog));
    expect([ask(first, 0), ask(first, 9), log.asked.length]).toEqual([0, 0, 1]);
    expect([ask(first, 10), ask(first, 10), log.asked.length]).toEqual([10, 10, 2]);
    expect([ask(second, 10), otherLog.asked.length]).toEqual([RECORD_COUNT + 10, 1]);
    expect([ask(first, 10), log.asked.length]).toEqual([10, 3]);
    room.forget();
    expect([ask(first, 10), log.asked.length]).toEqual([10, 4]);
    expect(log.asked.map(([from]) => from)).toEqual([0, 10, 10, 10].map((index) => first.pieceOf(index).from));
  });

  it("is used again for every piece that it holds, to its last byte; a longer one has memory of its own", () => {
    // A record this long takes eleven bytes beside its value.
    const batch = storedBatch(0, [10, ROOM_BYTE_LENGTH - 11, ROOM_BYTE_LENGTH - 10, 10]);
    const outline = outlineOf(batch);
    const pieces = [0, 1, 2, 3].map((index) => outline.pieceOf(index));
    expect(pieces.map(({ from, until }) => until - from).slice(1, 3)).toEqual([ROOM_BYTE_LENGTH, ROOM_BYTE_LENGTH + 1]);
    const room = new PieceRoom();
    const log = logHolding(batch);
    const read = pieces.map((piece) => room.batchOf(outline, piece, log) as Bytes);
    expect(read.map((bytes) => room.isLent(bytes))).toEqual([true, true, false, true]);
    expect(new Set(read.filter((bytes) => room.isLent(bytes))).size).toBe(1);
    expect(room.isLent(new Uint8Array(HEADER_BYTE_LENGTH + ROOM_BYTE_LENGTH))).toBe(false);
    const own = read[2] as Bytes;
    expect(Buffer.compare(own.subarray(HEADER_BYTE_LENGTH), batch.subarray(pieces[2]?.from, pieces[2]?.until))).toBe(0);
    // What it holds itself it has still, though another was read beside it.
    room.batchOf(outline, pieces[2] as BatchPiece, log);
    expect(log.asked).toHaveLength(5);
    expect(room.batchOf(outline, pieces[3] as BatchPiece, log)).toBe(read[3]);
    expect(log.asked).toHaveLength(5);
  });

  it("has one cursor for every batch, and none of the last one's bytes when it was left", () => {
    const room = new PieceRoom();
    const first = room.cursorAt(one, 0);
    expect([first.next(), first.offset]).toEqual([true, 0]);
    expect(room.cursorAt(other, 0)).toBe(first);
    expect([first.bytes === other, first.next(), first.offset]).toEqual([true, true, RECORD_COUNT]);
    room.leave();
    expect(room.cursorAt(one, 0)).not.toBe(first);
  });

  it("has nothing of a log that has no parts, or not this one, and has what it had no more where that was read over", () => {
    const outline = outlineOf(one);
    const room = new PieceRoom();
    const log = logHolding(one);
    const [first, second] = [outline.pieceOf(0), outline.pieceOf(10)];
    expect(room.batchOf(outline, first, { standing: () => null, read: () => null })).toBe(null);
    room.batchOf(outline, first, log);
    expect(room.batchOf(outline, second, logHolding(other))).toBe(null);
    room.batchOf(outline, first, log);
    expect(log.asked).toHaveLength(2);
  });
});
