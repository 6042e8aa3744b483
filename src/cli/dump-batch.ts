/** A batch and its records, told: compressed ones opened, markers and the records of internal topics in words. */
import { decodeMarker } from "../base/control-record.ts";
import { OdradekError } from "../base/errors.ts";
import {
  CODECS,
  codecNumber,
  hasDeleteHorizon,
  isControl,
  isLogAppendTime,
  isTransactional,
  readBatchHeader,
} from "../base/record-batch.ts";
import { RecordCursor, RecordFramingError } from "../base/record-decoder.ts";
import { CorruptBatchError } from "../core/corrupt-batch-error.ts";
import type { Dumped, DumpSource } from "./dump-source.ts";
import { internalRecord } from "./internal-records.ts";

const utf8 = new TextDecoder();

/** `bytes`: one whole batch whose checksum holds, `position` where it stands in its file. */
export function* dumpBatch(
  bytes: Uint8Array,
  position: number,
  { topic, compression }: Pick<DumpSource, "topic" | "compression">,
  withRecords: boolean,
): Generator<Dumped> {
  const { attributes, checksum, magic, lastOffsetDelta: _, ...header } = readBatchHeader(bytes);
  const codec = codecNumber(attributes);
  let opened: Uint8Array | null = null;
  let problem: string | null = null;
  try {
    opened = codec === 0 ? bytes : compression.decompressBatch(bytes);
  } catch (error) {
    problem = problemOf(error);
  }
  yield {
    type: "batch",
    position,
    ...header,
    magic,
    crc: checksum.toString(16).padStart(8, "0"),
    compressionType: CODECS[codec] ?? `codec ${codec}`,
    // As long as the batch would be if its records stood in the open.
    ...(codec === 0 || opened === null ? {} : { openByteLength: opened.byteLength }),
    timestampType: isLogAppendTime(attributes) ? "LogAppendTime" : "CreateTime",
    transactional: isTransactional(attributes),
    control: isControl(attributes),
    // From then on the cleaner may drop the batch's tombstones, or the marker; null: it has not seen them yet.
    deleteHorizonMs: hasDeleteHorizon(attributes) ? header.baseTimestamp : null,
  };
  if (problem !== null) yield { type: "unreadable", position, problem };
  if (opened === null || !withRecords) return;
  try {
    yield* dumpRecords(opened, topic, isControl(attributes));
  } catch (error) {
    yield { type: "unreadable", position, problem: problemOf(error) };
  }
}

function* dumpRecords(opened: Uint8Array, topic: string, control: boolean): Generator<Dumped> {
  const cursor = new RecordCursor(opened);
  while (cursor.next()) {
    const { offset, timestamp } = cursor;
    const key = cursor.key();
    const value = cursor.value();
    const marker = control ? decodeMarker(key, value) : null;
    if (marker !== null) {
      yield { type: "marker", offset, timestamp, controlType: marker.type, coordinatorEpoch: marker.coordinatorEpoch };
      continue;
    }
    const headers = cursor.decodeHeaders().map(([name, each]) => [utf8.decode(name), each] as const);
    const decoded = internalRecord(topic, key, value);
    yield { type: "record", offset, timestamp, key, value, headers, ...(decoded === null ? {} : { decoded }) };
  }
}

/** What a batch is that cannot be opened; anything else is a fault of ours. */
function problemOf(error: unknown): string {
  if (error instanceof CorruptBatchError || error instanceof RecordFramingError || error instanceof OdradekError) return error.message;
  throw error;
}
