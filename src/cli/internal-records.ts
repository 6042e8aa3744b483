/** Records of Kafka's internal topics, in words: what a group committed, where a transaction stands. */
import { reasonOf } from "../base/reason.ts";
import { OFFSETS_TOPIC, TRANSACTIONS_TOPIC } from "../engine/house.ts";
import { decodeGroupValue } from "../group/schemas/group-metadata-value.ts";
import { decodeOffsetValue } from "../group/schemas/offset-commit-value.ts";
import { decodeKey } from "../group/schemas/record-key.ts";
import { decodeTransactionKey } from "../transaction/schemas/transaction-key.ts";
import { decodeTransactionValue } from "../transaction/schemas/transaction-value.ts";

/** null: a topic whose records are nobody's but the user's. `unreadable` says why bytes that should be words are not. */
export function internalRecord(topic: string, key: Uint8Array | null, value: Uint8Array | null): Readonly<Record<string, unknown>> | null {
  if (key === null || (topic !== OFFSETS_TOPIC && topic !== TRANSACTIONS_TOPIC)) return null;
  try {
    return topic === OFFSETS_TOPIC ? groupRecord(key, value) : transactionRecord(key, value);
  } catch (error) {
    return { unreadable: reasonOf(error) };
  }
}

function groupRecord(keyBytes: Uint8Array, value: Uint8Array | null): Readonly<Record<string, unknown>> {
  const key = decodeKey(keyBytes);
  if (key.kind === "offset") return { ...key, ...(value === null ? { nextOffset: null } : decodeOffsetValue(value)) };
  if (key.kind === "group") return { ...key, ...(value === null ? { deleted: true } : decodeGroupValue(value)) };
  return key;
}

function transactionRecord(key: Uint8Array, value: Uint8Array | null): Readonly<Record<string, unknown>> {
  const transactionalId = decodeTransactionKey(key);
  if (transactionalId === null) return { kind: "other" };
  return { kind: "transaction", transactionalId, ...(value === null ? { deleted: true } : decodeTransactionValue(value)) };
}
