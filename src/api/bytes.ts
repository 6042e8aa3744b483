/** The plainest words of the face: bytes, optional options, and where a record lives. */

/** `Uint8Array<ArrayBuffer>` (a `BufferSource`) from TypeScript 5.7 on, `Uint8Array` before. Never shared memory. */
export type Bytes = ReturnType<Uint8ArrayConstructor["of"]>;

/** Every field may be left out or be `undefined`, also under `exactOptionalPropertyTypes`. */
export type Options<T> = { readonly [P in keyof T]?: T[P] | undefined };

/** A partition of a topic, by name and number (0 to the partition count less one). */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A committed position: the next offset to read, as Kafka stores it. So named that no record passes for it. */
export interface NextOffset extends TopicPartition {
  readonly nextOffset: number;
}

/** A record header. Order and repeated names are kept; a null value is legal, a null name is not. */
export type Header = readonly [name: string, value: Bytes | null];

/** A header as a program gives it: a string value is written as UTF-8. */
export type HeaderInput = readonly [name: string, value: Uint8Array | string | null];

/**
 * The four marks of a partition, each an offset: start <= lastStable <= highWatermark <= logEnd.
 * `logEndOffset` is the offset the next record gets; `highWatermark` is where readers stop.
 */
export type Watermarks = Readonly<Record<"logStartOffset" | "lastStableOffset" | "highWatermark" | "logEndOffset", number>>;

/** When a send is acknowledged: once durable ("all"), once written (1), at once (0). */
export type Acks = "all" | 1 | 0;

/** What an acknowledgement outlives: loss of power, death of the process, or nothing. */
export type Durability = "power" | "process" | "none";

/** How the records of a batch are compressed. zstd is written where the runtime can (Node from 22.15 on) and read everywhere. */
export type CompressionType = "none" | "gzip" | "snappy" | "lz4" | "zstd";
