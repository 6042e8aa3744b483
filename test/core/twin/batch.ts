/** Record batches written and read from the specification, one field after the other. */
import { slowCrc32c } from "./crc32c.ts";
import { slowReadVarint, slowVarint } from "./varint.ts";

export interface SlowRecord {
  readonly offsetDelta: number;
  readonly timestampDelta: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: Uint8Array, value: Uint8Array | null])[];
}

export interface SlowBatch {
  readonly baseOffset: bigint;
  readonly leaderEpoch: number;
  readonly attributes: number;
  readonly lastOffsetDelta: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly records: readonly SlowRecord[];
}

export function bigEndian(value: bigint | number, byteLength: number): number[] {
  const bytes: number[] = [];
  for (let place = byteLength - 1; place >= 0; place--) bytes.push(Number((BigInt(value) >> BigInt(8 * place)) & 0xffn));
  return bytes;
}

type Piece = Uint8Array | readonly number[];

/** Megabytes are written with this too: no list of numbers is made of them. */
function joined(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function sized(bytes: Uint8Array | null): Piece[] {
  return bytes === null ? [slowVarint(-1n)] : [slowVarint(BigInt(bytes.length)), bytes];
}

export function slowRecordBytes(record: SlowRecord): Uint8Array<ArrayBuffer> {
  const body = joined([
    [0],
    slowVarint(record.timestampDelta),
    slowVarint(BigInt(record.offsetDelta)),
    ...sized(record.key),
    ...sized(record.value),
    slowVarint(BigInt(record.headers.length)),
    ...record.headers.flatMap(([name, value]) => [...sized(name), ...sized(value)]),
  ]);
  return joined([slowVarint(BigInt(body.length)), body]);
}

export function slowBatchBytes(batch: SlowBatch): Uint8Array<ArrayBuffer> {
  const covered = joined([
    bigEndian(batch.attributes, 2),
    bigEndian(batch.lastOffsetDelta, 4),
    bigEndian(batch.baseTimestamp, 8),
    bigEndian(batch.maxTimestamp, 8),
    bigEndian(batch.producerId, 8),
    bigEndian(batch.producerEpoch, 2),
    bigEndian(batch.baseSequence, 4),
    bigEndian(batch.records.length, 4),
    ...batch.records.map(slowRecordBytes),
  ]);
  return joined([
    bigEndian(batch.baseOffset, 8),
    bigEndian(covered.length + 9, 4),
    bigEndian(batch.leaderEpoch, 4),
    [2],
    bigEndian(slowCrc32c(covered), 4),
    covered,
  ]);
}

/** Puts the right checksum into a batch that was changed. */
export function withChecksum(batch: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (batch.length >= 21) new DataView(batch.buffer, batch.byteOffset).setUint32(17, slowCrc32c(batch.subarray(21)));
  return batch;
}

/** The records between `at` and the end of the batch, or null when the bytes are not exactly `count` records. */
export function slowReadRecords(batch: Uint8Array, at: number, count: number): SlowRecord[] | null {
  const records: SlowRecord[] = [];
  let place = at;
  for (let i = 0; i < count; i++) {
    const record = slowReadRecord(batch, place);
    if (record === null) return null;
    records.push(record.record);
    place = record.end;
  }
  return place === batch.length ? records : null;
}

export function slowReadRecord(batch: Uint8Array, start: number): { readonly record: SlowRecord; readonly end: number } | null {
  const length = slowReadVarint(batch, start, 32);
  if (length === null || length.value < 0n || length.value > BigInt(batch.length - length.end)) return null;
  const end = length.end + Number(length.value);
  const bytes = batch.subarray(0, end);
  let at = length.end + 1;
  const next = (bits: 32 | 64): bigint => {
    const read = slowReadVarint(bytes, at, bits);
    if (read === null) throw END;
    at = read.end;
    return read.value;
  };
  const nextBytes = (nullable: boolean): Uint8Array | null => {
    const byteLength = Number(next(32));
    if (byteLength === -1 && nullable) return null;
    if (byteLength < 0 || byteLength > end - at) throw END;
    at += byteLength;
    return bytes.slice(at - byteLength, at);
  };
  try {
    const timestampDelta = next(64);
    const offsetDelta = Number(next(32));
    const key = nextBytes(true);
    const value = nextBytes(true);
    const headersCount = Number(next(32));
    if (headersCount < 0 || headersCount > end - at) return null;
    const headers: [Uint8Array, Uint8Array | null][] = [];
    for (let i = 0; i < headersCount; i++) headers.push([nextBytes(false) as Uint8Array, nextBytes(true)]);
    return at === end ? { record: { offsetDelta, timestampDelta, key, value, headers }, end } : null;
  } catch (error) {
    if (error === END) return null;
    throw error;
  }
}

const END = Symbol("the bytes end here");
