/**
 * Reads the `.log` files of a partition and shares no line of code with the engine: written from Kafka's format alone, with
 * its own checksum. What it cannot follow it says, with file and position.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export interface FileRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
}

/** The end of a transaction, as a control record tells it. */
export interface FileMarker {
  readonly offset: number;
  readonly producerId: bigint;
  readonly commits: boolean;
}

export interface PartitionFiles {
  readonly records: FileRecord[];
  readonly markers: FileMarker[];
  /** Where the first segment begins. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly byteLength: number;
  /** Where the newest segment ends in a batch that is not whole, and why it is not; null if it does not. */
  readonly torn: string | null;
}

const CASTAGNOLI = 0x82f63b78;
const table = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc >>> 0;
});

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at += 1) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

class Cursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** A zigzag varint of what a number holds exactly. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at];
      if (byte === undefined || scale > 2 ** 49) throw new Error(`a varint at ${this.at} does not end`);
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  /** Bytes behind their length; null for a length of -1. */
  field(): Buffer | null {
    const length = this.varint();
    if (length === -1) return null;
    const bytes = this.bytes.subarray(this.at, this.at + length);
    if (length < 0 || bytes.length !== length) throw new Error(`a field of ${length} bytes at ${this.at} goes past its batch`);
    this.at += length;
    return bytes;
  }
}

/**
 * The records of `directory` in order, and the markers of ended transactions among them. Ends at the first batch that is not whole
 * in the newest segment (what a kill leaves); anywhere else that is an error. Offsets must be contiguous within and across files,
 * unless the partition is `compacted`: then they must rise.
 */
export function readPartitionFiles(directory: string, { compacted = false }: { readonly compacted?: boolean } = {}): PartitionFiles {
  const names = segmentNames(directory, compacted);
  const records: FileRecord[] = [];
  const markers: FileMarker[] = [];
  let next: number | null = null;
  let torn: string | null = null;
  let byteLength = 0;
  for (const [index, name] of names.entries()) {
    const file = readFileSync(join(directory, name));
    const base = Number(name.slice(0, 20));
    if (next !== null && (compacted ? base < next : base !== next)) throw new Error(`${name}: the segment before it ends at ${next}`);
    next = base;
    let at = 0;
    while (at < file.length) {
      let problem: string | { readonly byteLength: number; readonly nextOffset: number };
      try {
        problem = batchAt(file, at, next, { records, markers, compacted });
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
      if (typeof problem === "string") {
        if (index < names.length - 1) throw new Error(`${name}:${at}: ${problem}`);
        torn = `${name}:${at}: ${problem}`;
        break;
      }
      at += problem.byteLength;
      next = problem.nextOffset;
    }
    byteLength += at;
  }
  return {
    records,
    markers,
    firstOffset: names[0] === undefined ? 0 : Number(names[0].slice(0, 20)),
    nextOffset: next ?? 0,
    byteLength,
    torn,
  };
}

/**
 * The files that count, in order. Compaction leaves `.swap` files where it was killed: one that stands beside no `.cleaned` is
 * whole, and takes the place of every segment that begins in its offsets.
 */
function segmentNames(directory: string, compacted: boolean): string[] {
  const all = readdirSync(directory);
  const logs = all.filter((name) => /^\d{20}\.log$/.test(name)).sort();
  if (!compacted) return logs;
  const cleaned =
    all
      .filter((name) => name.endsWith(".cleaned"))
      .sort()[0]
      ?.slice(0, 20) ?? "9";
  const swaps = all.filter((name) => /^\d{20}\.log\.swap$/.test(name) && name.slice(0, 20) < cleaned);
  const replaced = new Set<string>();
  for (const swap of swaps) {
    const file = readFileSync(join(directory, swap));
    let end = Number(swap.slice(0, 20));
    for (let at = 0; at < file.length; at += 12 + file.readInt32BE(at + 8))
      end = Number(file.readBigInt64BE(at)) + file.readInt32BE(at + 23) + 1;
    for (const name of logs) if (name.slice(0, 20) >= swap.slice(0, 20) && Number(name.slice(0, 20)) < end) replaced.add(name);
  }
  return [...logs.filter((name) => !replaced.has(name)), ...swaps].sort();
}

interface Sink {
  readonly records: FileRecord[];
  readonly markers: FileMarker[];
  readonly compacted: boolean;
}

/** Takes the batch's records in, or says why not. */
function batchAt(
  file: Buffer,
  at: number,
  expectedOffset: number,
  { records, markers, compacted }: Sink,
): string | { readonly byteLength: number; readonly nextOffset: number } {
  if (file.length - at < 61) return "fewer bytes than a header";
  const length = file.readInt32BE(at + 8);
  if (length < 49) return `a length of ${length}`;
  if (at + 12 + length > file.length) return `a length of ${length}, past the end`;
  const batch = file.subarray(at, at + 12 + length);
  if (batch[16] !== 2) return `magic ${batch[16]}`;
  const stored = batch.readUInt32BE(17);
  const computed = crc32c(batch.subarray(21));
  if (stored !== computed) return `checksum ${computed.toString(16)}, stored ${stored.toString(16)}`;
  const baseOffset = Number(batch.readBigInt64BE(0));
  if (compacted ? baseOffset < expectedOffset : baseOffset !== expectedOffset)
    throw new Error(`at ${at}: base offset ${baseOffset}, expected ${expectedOffset}`);
  const attributes = batch.readInt16BE(21);
  const codec = attributes & 7;
  if (codec > 1) throw new Error(`at ${at}: codec ${codec}, which nobody here writes`);
  const isTransactional = (attributes & 16) !== 0;
  const producerId = batch.readBigInt64BE(43);
  const lastDelta = batch.readInt32BE(23);
  const count = batch.readInt32BE(57);
  if (compacted ? count > lastDelta + 1 : count !== lastDelta + 1)
    throw new Error(`at ${at}: ${count} records, last offset delta ${lastDelta}`);
  const body = codec === 1 ? gunzipSync(batch.subarray(61)) : batch.subarray(61);
  const cursor = new Cursor(body, 0);
  let lastSeen = -1;
  for (let index = 0; index < count; index += 1) {
    const end = cursor.varint() + cursor.at;
    cursor.at += 1; // attributes
    cursor.varint(); // timestamp delta
    const offsetDelta = cursor.varint();
    if (compacted ? offsetDelta <= lastSeen || offsetDelta > lastDelta : offsetDelta !== index)
      throw new Error(`at ${at}: record ${index} has offset delta ${offsetDelta}`);
    lastSeen = offsetDelta;
    const key = cursor.field();
    const value = cursor.field();
    for (let headers = cursor.varint(); headers > 0; headers -= 1) {
      cursor.field();
      cursor.field();
    }
    if (cursor.at !== end) throw new Error(`at ${at}: record ${index} ends at ${cursor.at}, not at ${end}`);
    const offset = baseOffset + offsetDelta;
    if ((attributes & 32) !== 0) markers.push({ offset, producerId, commits: key?.readInt16BE(2) === 1 });
    else records.push({ offset, key, value, producerId, isTransactional });
  }
  if (cursor.at !== body.length) throw new Error(`at ${at}: ${body.length - cursor.at} bytes behind the last record`);
  return { byteLength: batch.length, nextOffset: baseOffset + lastDelta + 1 };
}

/** By producer id, whether its transaction is decided and not yet marked everywhere: the `__transaction_state` partitions of a data directory. */
export function preparedTransactions(dataDirectory: string): Map<bigint, boolean> {
  const newest = new Map<string, Buffer | null>();
  for (const name of readdirSync(dataDirectory).filter((each) => each.startsWith("__transaction_state-"))) {
    for (const { key, value } of readPartitionFiles(join(dataDirectory, name), { compacted: true }).records)
      newest.set(key?.toString("hex") ?? "", value);
  }
  const prepared = new Map<bigint, boolean>();
  for (const value of newest.values()) {
    if (value === null) continue;
    // version ┼ producer id ┼ epoch ┼ timeout ┼ state
    const state = value[16];
    if (state === 2 || state === 3) prepared.set(value.readBigInt64BE(2), state === 2);
  }
  return prepared;
}

/** Of what `readPartitionFiles` found: what a reader of committed records is told once everything decided is marked. */
export function committedRecords({ records, markers }: PartitionFiles, prepared: ReadonlyMap<bigint, boolean>): FileRecord[] {
  const ends = new Map<bigint, FileMarker[]>();
  for (const marker of markers) {
    const ofProducer = ends.get(marker.producerId);
    if (ofProducer === undefined) ends.set(marker.producerId, [marker]);
    else ofProducer.push(marker);
  }
  // Markers and records rise alike: of each producer the first marker that is not passed yet.
  const passed = new Map<bigint, number>();
  return records.filter(({ offset, producerId, isTransactional }) => {
    if (!isTransactional) return true;
    const ofProducer = ends.get(producerId) ?? [];
    let at = passed.get(producerId) ?? 0;
    while (at < ofProducer.length && (ofProducer[at] as FileMarker).offset < offset) at += 1;
    passed.set(producerId, at);
    return ofProducer[at]?.commits ?? prepared.get(producerId) ?? false;
  });
}

/** The newest committed offset of each group and partition in a `__consumer_offsets` partition: "group/topic/partition" to offset. */
export function committedOffsets(records: readonly FileRecord[]): Map<string, number> {
  const committed = new Map<string, number>();
  // In the order in which they were appended: what a transaction brought counts from there, as in Kafka.
  for (const { key, value } of records) {
    if (key === null || key.readInt16BE(0) > 1) continue;
    let at = 2;
    const text = (): string => {
      const length = key.readInt16BE(at);
      at += 2 + length;
      return key.toString("utf8", at - length, at);
    };
    const name = `${text()}/${text()}/${key.readInt32BE(at)}`;
    if (value === null) committed.delete(name);
    else committed.set(name, Number(value.readBigInt64BE(2)));
  }
  return committed;
}
