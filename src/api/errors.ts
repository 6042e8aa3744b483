/**
 * Errors as a program sees them; the classes stand in `base/errors.ts`. The family says who can mend it:
 * the caller, a seek, a rejoin, a new producer, the data, the machine, a backup, or us.
 */
import type { Acks, Bytes, Watermarks } from "./bytes.ts";
import type { ConsumerRecord } from "./consumer.ts";
import type { RecordMetadata } from "./producer.ts";

export interface OdradekError extends Error {
  /** Stable: Kafka's name where one exists (`OFFSET_OUT_OF_RANGE`), else ours (`DIRECTORY_IN_USE`). The prose may improve. */
  readonly code: string;
  /** Kafka's error number; -1 (UNKNOWN_SERVER_ERROR) for codes that are ours alone. */
  readonly kafkaCode: number;
  /** Whether the same call may succeed if made again. */
  readonly retriable: boolean;
}
export interface UsageError extends OdradekError {
  readonly name: "UsageError";
}
export interface OffsetError extends OdradekError {
  readonly name: "OffsetError";
  readonly range: Watermarks;
}
export interface GroupError extends OdradekError {
  readonly name: "GroupError";
}
export interface ProducerStateError extends OdradekError {
  readonly name: "ProducerStateError";
}
export interface SerdeError extends OdradekError {
  readonly name: "SerdeError";
  /** The record as stored; null when it was being sent. */
  readonly record: ConsumerRecord<Bytes, Bytes> | null;
}
export interface SendBatchError extends OdradekError {
  readonly name: "SendBatchError";
  readonly results: readonly PromiseSettledResult<RecordMetadata<Acks>>[];
}
export interface StorageError extends OdradekError {
  readonly name: "StorageError";
}
export interface CorruptionError extends OdradekError {
  readonly name: "CorruptionError";
  readonly file: string;
  readonly byteRange: readonly [number, number];
  readonly offsetRange: readonly [number, number];
  /** Seek here to go on behind the damage; null when nothing readable follows. */
  readonly nextReadableOffset: number | null;
}
export interface CoreFaultError extends OdradekError {
  readonly name: "CoreFaultError";
}
