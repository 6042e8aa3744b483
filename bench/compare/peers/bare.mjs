/**
 * No store either: Kafka's format by the core, in one file, and nothing around it. What it reaches is what this format lets anybody in this
 * language reach. A batch is one write; many appenders at once share one; a batch is checked when this process first reads it, and
 * from then on it is known where its records begin. Unless it is durable, a flush that nobody waits for follows the writer, 4 MiB or more at a time.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { appendBatch, batchesOf, checkedCursor, RecordCursor } from "../../harness/bare-loop.mjs";

export const name = "bare loop";
export const isDurable = true;
const MIB = 1 << 20;
const FLUSHED_BYTES = 4 * MIB;
const HEADER_BYTE_LENGTH = 61;

export async function store(directory, { durable }) {
  const path = join(directory, "bare");
  const file = await open(path, "a+");
  const fd = openSync(path, "r+");
  const known = batchesIn(fd);
  let { end, nextOffset } = known;
  let flushedEnd = end;
  let isFlushing = false;
  let flushing = Promise.resolve();
  const prepared = new Map();
  const write = (batch) => {
    const byteLength = appendBatch(fd, batch, end, nextOffset);
    known.batches.push({ at: end, byteLength, baseOffset: nextOffset, isChecked: false, starts: null });
    end += byteLength;
    nextOffset += batch.length;
  };
  let waiting = [];
  let running = null;
  const flush = async () => {
    const turn = waiting;
    waiting = [];
    write(turn.map(({ record }) => record));
    if (durable) await file.datasync();
    for (const { resolve } of turn) resolve();
    running = waiting.length > 0 ? flush() : null;
  };
  return {
    async appendBatch(records) {
      if (!prepared.has(records)) prepared.set(records, batchesOf(records));
      for (const batch of prepared.get(records)) write(batch);
      if (!durable) {
        if (isFlushing || end - flushedEnd < FLUSHED_BYTES) return;
        flushedEnd = end;
        isFlushing = true;
        flushing = file.datasync().finally(() => {
          isFlushing = false;
        });
        return;
      }
      await flushing;
      flushing = file.datasync();
      await flushing;
    },
    append: (record) =>
      new Promise((resolve) => {
        waiting.push({ record, resolve });
        running ??= Promise.resolve().then(flush);
      }),
    scan(see) {
      const { batches } = known;
      const endOf = ({ at, byteLength }) => at + byteLength;
      for (let first = 0; first < batches.length; ) {
        const from = batches[first].at;
        let next = first + 1;
        while (next < batches.length && endOf(batches[next]) - from <= MIB) next += 1;
        const block = new Uint8Array(endOf(batches[next - 1]) - from);
        readSync(fd, block, 0, block.length, from);
        for (; first < next; first += 1) {
          const batch = batches[first];
          const cursor = batch.isChecked ? new RecordCursor(block, batch.at - from) : checkedCursor(block, batch.at - from);
          batch.isChecked = true;
          while (cursor.next()) see(cursor.key(), cursor.value());
        }
      }
    },
    /** A promise, as anybody gives it whose disk may have to be waited for. */
    async read(offset) {
      const batch = batchWith(known.batches, offset);
      if (batch.starts === null) {
        const whole = new Uint8Array(batch.byteLength);
        readSync(fd, whole, 0, whole.length, batch.at);
        batch.starts = startsOf(whole, 0);
      }
      const { starts } = batch;
      const index = offset - batch.baseOffset;
      const bytes = Buffer.allocUnsafe(starts[index + 1] - starts[index]);
      readSync(fd, bytes, 0, bytes.length, batch.at + starts[index]);
      return fieldsOf(bytes);
    },
    async close() {
      await running;
      await flushing;
      closeSync(fd);
      await file.close();
    },
  };
}

/** What stands in the file, by the headers of its batches. */
function batchesIn(fd) {
  const { size } = fstatSync(fd);
  const header = Buffer.alloc(HEADER_BYTE_LENGTH);
  const batches = [];
  let [at, nextOffset] = [0, 0];
  while (at < size) {
    readSync(fd, header, 0, HEADER_BYTE_LENGTH, at);
    const byteLength = header.readInt32BE(8) + 12;
    batches.push({ at, byteLength, baseOffset: nextOffset, isChecked: false, starts: null });
    nextOffset += header.readInt32BE(57);
    at += byteLength;
  }
  return { batches, end: at, nextOffset };
}

function batchWith(batches, offset) {
  let [low, high] = [0, batches.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (batches[middle].baseOffset <= offset) low = middle;
    else high = middle - 1;
  }
  return batches[low];
}

/** Checks the batch at `at`; answers where its records begin, counted from there, and where the last one ends. */
function startsOf(bytes, at) {
  const cursor = checkedCursor(bytes, at);
  const starts = new Int32Array(cursor.recordCount + 1);
  let index = 0;
  while (cursor.next()) {
    starts[index] = cursor.start - at;
    index += 1;
    starts[index] = cursor.recordEnd - at;
  }
  return starts;
}

/** The key and the value of a record without headers: length, attributes, two deltas, key, value. */
function fieldsOf(bytes) {
  let at = 0;
  const varint = () => {
    let raw = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      at += 1;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  };
  varint();
  at += 1;
  varint();
  varint();
  const keyLength = varint();
  const key = bytes.subarray(at, at + keyLength);
  at += keyLength;
  const valueLength = varint();
  return { key, value: bytes.subarray(at, at + valueLength) };
}
