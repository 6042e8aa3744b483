/** Record batches: the scanner, the validator, the search, the cursor, lazy views, and the batch behind a codec. */
import { isDeepStrictEqual } from "node:util";
import type { Bytes } from "../../../src/api/bytes.ts";
import { readInt32, writeInt32 } from "../../../src/base/big-endian.ts";
import {
  HEADER_BYTE_LENGTH,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_V2,
  RECORD_COUNT_AT,
  stampChecksum,
} from "../../../src/base/record-batch.ts";
import { RecordCursor } from "../../../src/base/record-decoder.ts";
import { bytes as bytesSerde, json, msgpack, utf8 } from "../../../src/base/serde.ts";
import type { CodecName, Compression } from "../../../src/compression/compression.ts";
import { BatchView } from "../../../src/consumer/batch-view.ts";
import type { PartitionState } from "../../../src/consumer/partition-state.ts";
import { PlainDecoder } from "../../../src/consumer/plain-record.ts";
import type { RecordView } from "../../../src/consumer/record-view.ts";
import type { Core, FoundRecord, RecordTarget } from "../../../src/core/core.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type SlowBatch, slowBatchBytes, slowReadRecords } from "../../core/twin/batch.ts";
import { slowScan } from "../../core/twin/scan.ts";
import { slowVerdict } from "../../core/twin/verdict.ts";
import { type FuzzTarget, isTyped, mustBe } from "./fuzz-target.ts";
import type { Field } from "./mutation.ts";

const FIELDS: readonly Field[] = [
  [0, 8],
  [8, 4],
  [12, 4],
  [16, 1],
  [21, 2],
  [23, 4],
  [27, 8],
  [35, 8],
  [43, 8],
  [51, 2],
  [53, 4],
  [57, 4],
];
const DECOMPRESSED_MAX = 64 * 1024 * 1024;

export function batchTargets(core: Core, compression: Compression): FuzzTarget[] {
  const random = new SeededRandom("batches");
  const plain = Array.from({ length: 24 }, (_, index) => slowBatchBytes(batchOf(random, index)));
  const runs = Array.from({ length: 8 }, () => joined([random.pick(plain), random.pick(plain), random.pick(plain)]));
  const packed = plain.flatMap((batch) =>
    (["gzip", "snappy", "lz4"] as const).map((codec: CodecName) => compression.compressBatch(batch, codec)),
  );
  const shape = { fields: FIELDS, mend: (batch: Bytes, by: SeededRandom) => mendBatch(core, batch, by) };
  return [
    { name: "scan", weight: 4, specimens: [...plain, ...runs], ...shape, decode: (bytes) => scan(core, bytes) },
    { name: "validate", weight: 4, specimens: plain, ...shape, decode: (bytes) => validate(core, bytes) },
    { name: "findRecord", weight: 4, specimens: plain, ...shape, decode: (bytes, by) => find(core, bytes, by) },
    { name: "RecordCursor", weight: 4, specimens: plain, ...shape, decode: walk },
    { name: "BatchView", weight: 4, specimens: plain, ...shape, decode: view },
    { name: "decompressBatch", weight: 3, specimens: packed, ...shape, decode: (bytes) => opened(compression, bytes) },
  ];
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

function batchOf(random: SeededRandom, index: number): SlowBatch {
  const maybe = (byteLength: number): Uint8Array | null => (random.chance(0.2) ? null : random.bytes(random.integer(0, byteLength)));
  const records = Array.from({ length: random.integer(1, 6) }, (_, offsetDelta) => ({
    offsetDelta,
    timestampDelta: BigInt(random.integer(0, 1000)),
    key: maybe(20),
    value: serialized(random, index),
    headers: Array.from({ length: random.integer(0, 3) }, () => [random.bytes(random.integer(0, 6)), maybe(8)] as const),
  }));
  const baseTimestamp = 1_700_000_000_000n;
  return {
    baseOffset: BigInt(index === 0 ? 0 : random.integer(0, 1000)),
    leaderEpoch: random.integer(-1, 4),
    attributes: random.pick([0, 0, 0, 0x10, 0x08, 0x20]),
    lastOffsetDelta: records.length - 1,
    baseTimestamp,
    maxTimestamp: baseTimestamp + records.reduce((most, { timestampDelta }) => (timestampDelta > most ? timestampDelta : most), 0n),
    producerId: BigInt(random.integer(-1, 100)),
    producerEpoch: random.integer(-1, 3),
    baseSequence: random.integer(-1, 50),
    records,
  };
}

/** What a serde wrote, for the lazy views. */
function serialized(random: SeededRandom, index: number): Uint8Array | null {
  const value = { id: random.integer(0, 1000), tags: ["a", "bé"], at: null, nested: { deep: [1, 2.5, -3, 2 ** 40] } };
  const context = { topic: "t", headers: [] };
  if (random.chance(0.1)) return null;
  if (index % 4 === 0) return msgpack().serialize(value, context);
  if (index % 4 === 1) return json().serialize(value, context);
  if (index % 4 === 2) return utf8.serialize("text, ünd mehr ".repeat(random.integer(1, 8)), context);
  return random.bytes(random.integer(0, 60));
}

/** With the checksum right, and mostly with the length. */
function mendBatch(core: Core, batch: Bytes, random: SeededRandom): Bytes {
  if (batch.length < HEADER_BYTE_LENGTH) return batch;
  // A run of batches: the first one's end is where it says.
  const claimed = readInt32(batch, LENGTH_AT) + LENGTH_OVERHEAD;
  const isRun = claimed >= HEADER_BYTE_LENGTH && claimed < batch.length && random.chance(0.3);
  if (!isRun && random.chance(0.85)) writeInt32(batch, LENGTH_AT, batch.length - LENGTH_OVERHEAD);
  if (random.chance(0.9)) batch[16] = MAGIC_V2;
  stampChecksum(isRun ? batch.subarray(0, claimed) : batch, core);
  return batch;
}

function scan(core: Core, bytes: Uint8Array): void {
  const given = bytes.subarray(0, core.readWindowByteLength);
  core.readWindow().set(given);
  for (const verifyChecksums of [true, false]) {
    const found = core.scan(given.length, { verifyChecksums });
    const expected = slowScan(given, verifyChecksums);
    const positions = Array.from({ length: found.count }, (_, index) => found.position(index));
    const answer = { positions, stop: found.stop, stopPosition: found.stopPosition, neededByteLength: found.neededByteLength };
    mustBe(isDeepStrictEqual(answer, expected), () => `scan answers ${JSON.stringify(answer)}, its twin ${JSON.stringify(expected)}`);
  }
}

function validate(core: Core, bytes: Uint8Array): void {
  const { problem } = core.validate(bytes);
  const expected = slowVerdict(bytes).problem;
  mustBe(problem === expected, () => `validate answers ${problem}, its twin ${expected}`);
}

function find(core: Core, bytes: Uint8Array, random: SeededRandom): void {
  const target: RecordTarget = {
    ...(random.chance(0.7) ? { offset: random.integer(-1, 1010) } : {}),
    ...(random.chance(0.3) ? { timestamp: 1_700_000_000_000 + random.integer(-10, 1010) } : {}),
  };
  let expected: FoundRecord | null | "refused";
  try {
    expected = byCursor(bytes, target);
  } catch (error) {
    if (!isTyped(error)) throw error;
    expected = "refused";
  }
  const found = core.findRecord(bytes, target);
  // Of the records before it, the core does not look at the headers; the cursor looks at their count.
  if (expected !== "refused")
    mustBe(isDeepStrictEqual(found, expected), () => `findRecord answers ${JSON.stringify(found)}, the cursor ${JSON.stringify(expected)}`);
  if (found !== null)
    mustBe(
      found.end <= bytes.length && found.start >= HEADER_BYTE_LENGTH,
      () => `findRecord answers ${JSON.stringify(found)}, outside the batch`,
    );
}

function byCursor(
  bytes: Uint8Array,
  { offset = Number.NEGATIVE_INFINITY, timestamp = Number.NEGATIVE_INFINITY }: RecordTarget,
): FoundRecord | null {
  const cursor = new RecordCursor(bytes);
  while (cursor.next()) {
    if (cursor.offset < offset || cursor.timestamp < timestamp) continue;
    const { start, recordEnd: end, keyStart, keyLength, valueStart, valueLength, headersStart, headersCount } = cursor;
    return {
      offset: cursor.offset,
      timestamp: cursor.timestamp,
      start,
      end,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
      headersStart,
      headersCount,
    };
  }
  return null;
}

/** What a cursor walks to its end, and its headers, is what the twin reads. */
function walk(bytes: Uint8Array): void {
  const cursor = new RecordCursor(bytes);
  const records: object[] = [];
  while (cursor.next()) {
    void cursor.timestampInt64;
    const owned = (view: Uint8Array | null): Uint8Array | null => view?.slice() ?? null;
    records.push({
      key: owned(cursor.key()),
      value: owned(cursor.value()),
      headers: cursor.decodeHeaders().map(([name, value]) => [name.slice(), owned(value)]),
    });
  }
  const batch = bytes.subarray(0, cursor.end);
  const expected = slowReadRecords(batch, HEADER_BYTE_LENGTH, readInt32(bytes, RECORD_COUNT_AT))?.map(({ key, value, headers }) => ({
    key,
    value,
    headers,
  }));
  mustBe(
    expected !== undefined && isDeepStrictEqual(records, expected),
    () => `a cursor reads ${records.length} records, its twin ${expected?.length ?? "none"} or others`,
  );
}

const DECODERS = [msgpack(), json(), utf8, bytesSerde].map((value) => new PlainDecoder<unknown, unknown>(bytesSerde, value));
const SERDES = [msgpack(), json(), utf8, bytesSerde].map((value) => ({ key: bytesSerde, value }));
const STATE = { topic: "t", partition: 0, toString: () => "t-0" } as unknown as PartitionState;

/** Each field of each lazy view, in every serde; and the plain records beside them. */
function view(bytes: Bytes, random: SeededRandom): void {
  const baseOffset = 0;
  const slice = {
    state: STATE,
    epoch: 0,
    bytes,
    at: 0,
    byteLength: bytes.length,
    baseOffset,
    lastOffset: 5,
    recordCount: random.pick([6, 3]),
  };
  const which = random.integer(0, SERDES.length);
  const batch = new BatchView<unknown, unknown>(slice, random.pick([0, 2]), SERDES[which] as never);
  const problems: unknown[] = [];
  const attempt = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      if (!isTyped(error)) throw error;
      problems.push(error);
    }
  };
  for (const record of batch as Iterable<RecordView<unknown, unknown>>) {
    attempt(() => record.headers);
    attempt(() => record.key);
    attempt(() => record.value);
    attempt(() => record.timestampInt64);
  }
  attempt(() => batch.length);
  const cursor = new RecordCursor(bytes);
  while (cursor.next()) attempt(() => (DECODERS[which] as PlainDecoder<unknown, unknown>).decode(cursor, STATE));
}

function opened(compression: Compression, bytes: Bytes): void {
  const batch = compression.decompressBatch(bytes);
  mustBe(batch.length <= DECOMPRESSED_MAX + HEADER_BYTE_LENGTH, () => `a batch of ${bytes.length} bytes is opened to ${batch.length}`);
  if (batch.length <= 1 << 16) walk(batch);
}
