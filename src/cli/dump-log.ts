/** What stands in a `.log`: its batches and their records, also behind damage. */
import { CODECS, codecNumber, isControl, isLogAppendTime, isTransactional, readBatchHeader } from "../base/record-batch.ts";
import { RecordCursor } from "../base/record-decoder.ts";
import { OFFSETS_TOPIC } from "../group/group-partition.ts";
import { decodeGroupValue } from "../group/schemas/group-metadata-value.ts";
import { decodeOffsetValue } from "../group/schemas/offset-commit-value.ts";
import { decodeKey } from "../group/schemas/record-key.ts";
import { hasBytesBeyond, type ScannedBatch, scanBatches } from "../log/batch-scan.ts";
import { readBytes } from "../log/file-bytes.ts";
import { findNextBatch } from "../log/segment-survey.ts";
import type { Dumped, DumpSource } from "./dump-source.ts";

/** So many batches are told, and the output waited for, before the next are looked at. */
const BATCHES_AT_ONCE = 64;
const utf8 = new TextDecoder();

export async function* dumpLog({ core, file, baseOffset, topic }: DumpSource, withRecords: boolean): AsyncGenerator<Dumped> {
  const fileEnd = file.byteLength();
  let position = 0;
  let nextOffset = baseOffset;
  while (position < fileEnd) {
    const batches: ScannedBatch[] = [];
    const end = await scanBatches(core, file, [position, fileEnd], { nextOffset, order: "rising", epochFor: () => null }, (batch) => {
      batches.push({ ...batch });
      return batches.length === BATCHES_AT_ONCE ? "stop" : undefined;
    });
    for (const batch of batches) yield* dumpBatch(readBytes(file, batch.position, batch.byteLength), batch.position, topic, withRecords);
    ({ position, nextOffset } = end);
    if (batches.length === BATCHES_AT_ONCE || position >= fileEnd) continue;
    if (!(await hasBytesBeyond(file, position))) {
      yield { type: "unwritten", position, byteLength: fileEnd - position };
      return;
    }
    const next = await findNextBatch(core, file, position, fileEnd, nextOffset, Number.MAX_SAFE_INTEGER);
    yield {
      type: "damage",
      position,
      byteLength: (next?.position ?? fileEnd) - position,
      reason: end.reason,
      detail: end.detail,
      firstOffset: nextOffset,
    };
    if (next === null) return;
    position = next.position;
    nextOffset = next.baseOffset;
  }
}

function* dumpBatch(bytes: Uint8Array, position: number, topic: string, withRecords: boolean): Generator<Dumped> {
  const { attributes, checksum, magic, lastOffsetDelta: _, ...header } = readBatchHeader(bytes);
  yield {
    type: "batch",
    position,
    ...header,
    magic,
    crc: checksum.toString(16).padStart(8, "0"),
    compressionType: CODECS[codecNumber(attributes)] ?? `codec ${codecNumber(attributes)}`,
    timestampType: isLogAppendTime(attributes) ? "LogAppendTime" : "CreateTime",
    transactional: isTransactional(attributes),
    control: isControl(attributes),
  };
  if (!withRecords || codecNumber(attributes) !== 0) return;
  const cursor = new RecordCursor(bytes);
  while (cursor.next()) {
    const key = cursor.key();
    const value = cursor.value();
    const headers = cursor.decodeHeaders().map(([name, each]) => [utf8.decode(name), each] as const);
    const record: Dumped = { type: "record", offset: cursor.offset, timestamp: cursor.timestamp, key, value, headers };
    if (isControl(attributes)) yield { ...record, marker: markerOf(key) };
    else yield topic === OFFSETS_TOPIC ? { ...record, ...committed(key, value) } : record;
  }
}

/** A control record's type stands in its key. */
function markerOf(key: Uint8Array | null): string {
  if (key === null || key.byteLength < 4) return "unknown";
  return ["abort", "commit"][((key[2] as number) << 8) | (key[3] as number)] ?? "other";
}

/** A record of `__consumer_offsets` in words; nothing more for one that cannot be read. */
function committed(keyBytes: Uint8Array | null, value: Uint8Array | null): Partial<Dumped> {
  if (keyBytes === null) return {};
  try {
    const key = decodeKey(keyBytes);
    if (key.kind === "offset") return { decoded: { ...key, ...(value === null ? { nextOffset: null } : decodeOffsetValue(value)) } };
    if (key.kind === "group") return { decoded: { ...key, ...(value === null ? { deleted: true } : decodeGroupValue(value)) } };
    return { decoded: key };
  } catch (error) {
    return { decoded: { unreadable: error instanceof Error ? error.message : String(error) } };
  }
}
