/** What to say of a batch whose records the core would not walk. */
import { readInt16 } from "../base/big-endian.ts";
import { UsageError } from "../base/errors.ts";
import { ATTRIBUTES_AT, codecNumber, codecOf } from "../base/record-batch.ts";
import { COMPRESSED } from "./core-status.ts";
import { CorruptBatchError } from "./corrupt-batch-error.ts";

/** `done`: what cannot be done to a compressed batch here. */
export function refusal(status: number, batch: Uint8Array, done: string): Error {
  if (status !== COMPRESSED) return new CorruptBatchError(`a batch of ${batch.length} bytes whose records do not add up`);
  const attributes = readInt16(batch, ATTRIBUTES_AT);
  const codec = codecOf(attributes) ?? `codec ${codecNumber(attributes)}`;
  return new UsageError("UNSUPPORTED_COMPRESSION_TYPE", `the batch is compressed with ${codec}, which cannot be ${done} here`);
}
