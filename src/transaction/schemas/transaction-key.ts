/** The key of a transactional id in `__transaction_state`: Kafka's TransactionLogKey, version 0. */
import type { Bytes } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";

//  0         2
//  ├ version ┼ transactional id: string
const VERSION = 0;

export function encodeTransactionKey(transactionalId: string): Bytes {
  return new ByteWriter().int16(VERSION).string(transactionalId).finish();
}

/** null: a record of a type that we do not keep, left as it is. Throws `INVALID_RECORD` for bytes that are none. */
export function decodeTransactionKey(key: Uint8Array): string | null {
  const reader = new ByteReader(key, "TransactionLogKey");
  return reader.int16() === VERSION ? reader.string() : null;
}
