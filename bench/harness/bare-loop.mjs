/**
 * Kafka's format and nothing around it: records framed and summed by the core into batches, batches written by one call each, read back,
 * checked and taken apart. No face, no log, nobody who waits. Whoever keeps this format in this language pays so much, so that a bench
 * runs it as a lane of its own beside what the engine does.
 */
import { readSync, writeSync } from "node:fs";
import { ATTRIBUTES_AT, readBatchHeader, stampBatch } from "../../build/js/base/record-batch.js";
import { RecordCursor } from "../../build/js/base/record-decoder.js";
import { decodeText } from "../../build/js/base/serdes/utf8-bytes.js";
import { loadCore } from "../../build/js/core/load-core.js";

/** What a topic takes in one batch unless told otherwise: `maxMessageBytes`. */
const BATCH_BYTES_MAX = 1_048_588;
const CHECKED = { verifyChecksums: true };
const IDEMPOTENT = { producerId: 1n, producerEpoch: 0, baseSequence: 0, transactional: false };
const TIMESTAMP = 1_700_000_000_000;

const core = await loadCore();
const text = new TextEncoder();

/** The records as bytes, shared out to as few batches as a topic takes them in. Keys may be text. */
export function batchesOf(records) {
  const batches = [];
  core.writer.begin(IDEMPOTENT);
  let batch = [];
  for (const { key, value } of records) {
    const record = { key: typeof key === "string" ? text.encode(key) : key, value };
    core.writer.append(record.key, record.value, null, TIMESTAMP);
    if (core.writer.byteLength > BATCH_BYTES_MAX) {
      batches.push(batch);
      batch = [];
      core.writer.begin(IDEMPOTENT);
      core.writer.append(record.key, record.value, null, TIMESTAMP);
    }
    batch.push(record);
  }
  return [...batches, batch];
}

/** One batch, framed and summed: a view of the core's memory, until the core is asked again. */
export function encoded(batch, baseOffset = 0) {
  const { writer } = core;
  writer.begin(IDEMPOTENT);
  for (let index = 0; index < batch.length; index += 1) writer.append(batch[index].key, batch[index].value, null, TIMESTAMP);
  const bytes = writer.finish();
  stampBatch(bytes, baseOffset, 0);
  return bytes;
}

/** Encodes a batch and writes it; answers how many bytes it has. */
export function appendBatch(file, batch, at, baseOffset = 0) {
  const bytes = encoded(batch, baseOffset);
  return writeSync(file, bytes, 0, bytes.length, at);
}

const NOTE_BYTE_LENGTH = 256;
const PAGE_BYTE_LENGTH = 4096;
const note = new Uint8Array(NOTE_BYTE_LENGTH);

/** Writes down, in a file beside the log's, where what is durable ends: one of two slots in turns, with a sum. Not flushed, as C9 asks. */
export function noteEnd(file, end, turn) {
  new DataView(note.buffer).setFloat64(0, end);
  new DataView(note.buffer).setUint32(8, core.crc32c(note.subarray(16)));
  writeSync(file, note, 0, NOTE_BYTE_LENGTH, (turn % 2) * PAGE_BYTE_LENGTH);
}

/** Reads `byteLength` bytes at `position` to where the core looks for them, and checks that they are one batch. A view, for this turn. */
export function readBatch(file, position, byteLength) {
  const bytes = core.readWindow().subarray(0, byteLength);
  readSync(file, bytes, 0, byteLength, position);
  const scan = core.scan(byteLength, CHECKED);
  if (scan.count !== 1) throw new Error(`expected one batch of ${byteLength} bytes at ${position}, found ${scan.count}, then ${scan.stop}`);
  return bytes;
}

/** A cursor before the records of the batch that begins at `at`, whose checksum was computed and is right. */
export function checkedCursor(bytes, at) {
  const cursor = new RecordCursor(bytes, at);
  const { checksum } = readBatchHeader(bytes, at);
  const computed = core.crc32c(bytes.subarray(at + ATTRIBUTES_AT, cursor.end)) >>> 0;
  if (computed !== checksum) throw new Error(`expected the checksum ${checksum} of the batch at ${at}, found ${computed}`);
  return cursor;
}

/** The one record of the batch that begins at `at`, as a caller gets it: its key as text, its value copied. */
export function onlyRecord(bytes, at = 0) {
  const cursor = new RecordCursor(bytes, at);
  cursor.next();
  return recordAt(cursor, (batch, start, end) => batch.slice(start, end));
}

/** The records of a batch, one after the other, each a plain object; `readValue` makes a value of the batch's bytes from where to where. */
export function recordsOf(batch, readValue) {
  const cursor = new RecordCursor(batch);
  return () => (cursor.next() ? recordAt(cursor, readValue) : null);
}

function recordAt({ bytes, offset, timestamp, keyStart, keyLength, valueStart, valueLength }, readValue) {
  const key = decodeText(bytes, keyStart, keyStart + keyLength);
  return { topic: "t", partition: 0, offset, timestamp, key, value: readValue(bytes, valueStart, valueStart + valueLength), headers: [] };
}

export { RecordCursor };
