/** What the core's binary exports: assembly/index.ts, seen from here. */
import type { WasmMemory } from "./web-assembly.ts";

/** Every call answers an i32: zero or more is the answer, negative a status; further answers stand in the mailbox. */
export interface CoreExports {
  readonly memory: WasmMemory;
  initialize(): number;
  crc32c(at: number, byteLength: number, seed: number): number;
  crc32cOfBlocks(at: number, byteLength: number, open: number, begunByteLength: number, blockByteLength: number): number;
  scan(byteLength: number, verifyChecksums: number): number;
  validateHeader(at: number, givenByteLength: number, wholeByteLength: number): number;
  validateRecords(at: number, start: number, byteLength: number): number;
  beginBatch(): number;
  frameRecord(keyLength: number, valueLength: number, timestamp: number): number;
  takeRecordBack(): number;
  frameRecordWithHeaders(keyLength: number, valueLength: number, timestamp: number, headerCount: number, headersByteLength: number): number;
  frameRecordApart(keyLength: number, valueLength: number, timestamp: number, headerCount: number, headersByteLength: number): number;
  headersByteLength(count: number): number;
  frameHeaders(count: number): number;
  takeWindow(): number;
  batchByteLength(): number;
  batchRecordCount(): number;
  finishBatch(attributes: number, producerId: bigint, producerEpoch: number, baseSequence: number): number;
  findRecord(at: number, byteLength: number, offsetMin: number, timestampMin: number): number;
  findOffsetEntry(at: number, byteLength: number, relativeOffset: number): number;
  findTimeEntry(at: number, byteLength: number, timestamp: number): number;
  appendOffsetEntry(at: number, count: number, relativeOffset: number, position: number): number;
  appendTimeEntry(at: number, count: number, timestamp: number, relativeOffset: number): number;
  murmur2(at: number, start: number, byteLength: number, keyByteLength: number): number;
  openOffsetMap(at: number, byteLength: number, secretAt: number, verdictsAt: number, verdictsByteLength: number): number;
  settleOffsetMap(placeCountMax: number): number;
  offsetMapKeyCount(): number;
  mapBatch(at: number, byteLength: number, startOffset: number): number;
  mapWindow(index: number, end: number, startOffset: number, recordCountMax: number): number;
  filterWindow(
    index: number,
    end: number,
    into: number,
    intoByteLength: number,
    latestOffset: number,
    now: number,
    newDeleteHorizon: number,
    recordCountMax: number,
  ): number;
  filterBatch(
    at: number,
    byteLength: number,
    into: number,
    intoByteLength: number,
    latestOffset: number,
    now: number,
    newDeleteHorizon: number,
    flags: number,
  ): number;
  lz4CompressBlock(at: number, byteLength: number, into: number): number;
  lz4DecompressBlock(at: number, byteLength: number, into: number, intoByteLength: number, historyByteLength: number): number;
  snappyCompressBlock(at: number, byteLength: number, into: number): number;
  snappyDecompressBlock(at: number, byteLength: number, into: number, intoByteLength: number): number;
  xxh32Begin(): number;
  xxh32Extend(at: number, byteLength: number): number;
  xxh32Finish(): number;
  encodeVarint(at: number, value: number): number;
  encodeVarlong(at: number, value: bigint): number;
  decodeVarint(at: number, byteLength: number): number;
  decodeVarlong(at: number, byteLength: number): number;
  keyHash(at: number, byteLength: number, into: number): number;
}
