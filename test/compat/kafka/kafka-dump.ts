/** What kafka-dump-log prints, taken apart again: batches, markers, records, entries of transaction indexes and snapshots. */

export interface DumpedBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordCount: number;
  readonly baseSequence: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly deleteHorizonMs: number | null;
  readonly position: number;
  readonly byteLength: number;
  readonly compressionType: string;
  readonly crc: number;
}
export interface DumpedMarker {
  readonly offset: number;
  readonly controlType: string;
  readonly coordinatorEpoch: number;
}
/** What kafka-dump-log says of one record. */
export interface DumpedRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly keyByteLength: number;
  readonly valueByteLength: number;
  readonly headerNames: string;
}

const optional = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

export function dumpedBatches(printed: string): DumpedBatch[] {
  const line =
    /^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) baseSequence: (-?\d+) lastSequence: -?\d+ producerId: (-?\d+) producerEpoch: (-?\d+) partitionLeaderEpoch: -?\d+ isTransactional: (\w+) isControl: (\w+) deleteHorizonMs: OptionalLong(?:\.empty|\[(\d+)\]) position: (\d+) \w+: -?\d+ size: (\d+) magic: 2 compresscodec: (\w+) crc: (\d+) isvalid: true$/gm;
  return [...printed.matchAll(line)].map((match) => ({
    baseOffset: Number(match[1]),
    lastOffset: Number(match[2]),
    recordCount: Number(match[3]),
    baseSequence: Number(match[4]),
    producerId: match[5] as string,
    producerEpoch: Number(match[6]),
    transactional: match[7] === "true",
    control: match[8] === "true",
    deleteHorizonMs: optional(match[9]),
    position: Number(match[10]),
    byteLength: Number(match[11]),
    compressionType: match[12] as string,
    crc: Number(match[13]),
  }));
}

export function dumpedMarkers(printed: string): DumpedMarker[] {
  const line = /^\| offset: (\d+) .*endTxnMarker: (\w+) coordinatorEpoch: (-?\d+)$/gm;
  return [...printed.matchAll(line)].map(([, offset, type, coordinatorEpoch]) => ({
    offset: Number(offset),
    controlType: (type as string).toLowerCase(),
    coordinatorEpoch: Number(coordinatorEpoch),
  }));
}

/** Those that a reader gets: markers apart. */
export function dumpedRecords(printed: string): DumpedRecord[] {
  const line =
    /^\| offset: (\d+) (?:CreateTime|LogAppendTime): (-?\d+) keySize: (-?\d+) valueSize: (-?\d+) sequence: -?\d+ headerKeys: \[(.*?)\](?! endTxnMarker)/gm;
  return [...printed.matchAll(line)].map(([, offset, timestamp, keySize, valueSize, names]) => ({
    offset: Number(offset),
    timestamp: Number(timestamp),
    keyByteLength: Number(keySize),
    valueByteLength: Number(valueSize),
    headerNames: names ?? "",
  }));
}

/** A line for each producer of a snapshot, in an order of their ids: Kafka's is that of a hash table. */
export function dumpedProducers(printed: string): string[] {
  return [...printed.matchAll(/^producerId: .*$/gm)].map(([line]) => line).sort();
}

/** What the record decoders say: key and value of each record, parsed. */
export function dumpedWords(printed: string): { readonly key: unknown; readonly value: unknown }[] {
  return [...printed.matchAll(/ key: (\{.*?\}) payload: (\{.*\}|<DELETE>)$/gm)].map(([, key, value]) => ({
    key: JSON.parse(key as string),
    value: value === "<DELETE>" ? null : JSON.parse(value as string),
  }));
}
