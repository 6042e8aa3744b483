/** The one record of a control batch: what a transaction marker's key and value say. Source of the format: Apache Kafka, `EndTransactionMarker`. */
import type { Bytes } from "../api/bytes.ts";
import { readInt16, readInt32, writeInt16, writeInt32 } from "./big-endian.ts";

//  key:    0         2      4          value:  0         2                   6
//          ├ version ┼ type ┤                  ├ version ┼ coordinator epoch ┤
const TYPE_AT = 2;
const KEY_BYTE_LENGTH = 4;
const COORDINATOR_EPOCH_AT = 2;
const VALUE_BYTE_LENGTH = 6;
const VERSION = 0;
const ABORT = 0;
const COMMIT = 1;

export interface ControlRecord {
  /** Other numbers are KRaft's own, and end no transaction. */
  readonly type: "abort" | "commit" | number;
  /** -1 where the value says none. */
  readonly coordinatorEpoch: number;
}

export function markerKey(commit: boolean): Bytes {
  const key = new Uint8Array(KEY_BYTE_LENGTH);
  writeInt16(key, 0, VERSION);
  writeInt16(key, TYPE_AT, commit ? COMMIT : ABORT);
  return key;
}

export function markerValue(coordinatorEpoch: number): Bytes {
  const value = new Uint8Array(VALUE_BYTE_LENGTH);
  writeInt16(value, 0, VERSION);
  writeInt32(value, COORDINATOR_EPOCH_AT, coordinatorEpoch);
  return value;
}

/**
 * As Kafka reads it: a later version and a longer value are taken for version 0, whose fields come first. null: no control
 * record has so short a key.
 */
export function decodeMarker(key: Uint8Array | null, value: Uint8Array | null): ControlRecord | null {
  if (key === null || key.byteLength < KEY_BYTE_LENGTH) return null;
  const type = readInt16(key, TYPE_AT);
  const coordinatorEpoch = value === null || value.byteLength < VALUE_BYTE_LENGTH ? -1 : readInt32(value, COORDINATOR_EPOCH_AT);
  return { type: type === ABORT ? "abort" : type === COMMIT ? "commit" : type, coordinatorEpoch };
}
