/** One hash over many records, the same as java/RecordHash.java makes: offset, timestamp, key, value, headers, each length before its bytes, -1 for null. */
import { createHash } from "node:crypto";
import type { Bytes, ConsumerRecord } from "../../../src/index.ts";

export type RawRecord = Pick<ConsumerRecord<Uint8Array, Uint8Array>, "offset" | "timestamp" | "key" | "value" | "headers">;

export function recordHash(records: Iterable<RawRecord>): string {
  const digest = createHash("sha256");
  const number = new DataView(new ArrayBuffer(8));
  const numberBytes = new Uint8Array(number.buffer);
  const addLong = (value: number): void => {
    number.setBigInt64(0, BigInt(value));
    digest.update(numberBytes);
  };
  const addBytes = (bytes: Uint8Array | null): void => {
    number.setInt32(0, bytes === null ? -1 : bytes.byteLength);
    digest.update(numberBytes.subarray(0, 4));
    if (bytes !== null) digest.update(bytes);
  };
  for (const { offset, timestamp, key, value, headers } of records) {
    addLong(offset);
    addLong(timestamp);
    addBytes(key);
    addBytes(value);
    number.setInt32(0, headers.length);
    digest.update(numberBytes.subarray(0, 4));
    for (const [name, bytes] of headers) {
      addBytes(Buffer.from(name, "utf8"));
      addBytes(bytes);
    }
  }
  return digest.digest("hex");
}

/** A private copy, for a record whose bytes lie in its batch's buffer. */
export function keep(record: ConsumerRecord<Bytes, Bytes>): RawRecord {
  return { offset: record.offset, timestamp: record.timestamp, key: record.key, value: record.value, headers: record.headers };
}
