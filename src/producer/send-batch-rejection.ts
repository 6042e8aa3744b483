/** What a `sendBatch` rejects with, of which some batch failed. */
import { SendBatchError, UsageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { Answer } from "./pending-batch.ts";

/**
 * A `UsageError` as it is where all batches came to one, since it says that nothing was appended; anything else with the fate of every
 * record. `errors`: of the batches that failed, of `batchCount`. `fates`: of the records, in call order.
 */
export function sendBatchRejection(errors: readonly unknown[], batchCount: number, fates: () => PromiseSettledResult<Answer>[]): unknown {
  const [first] = errors;
  if (errors.length === batchCount && errors.every((error) => error instanceof UsageError)) return first;
  const results = fates();
  const failedCount = results.filter(({ status }) => status === "rejected").length;
  const what = reasonOf(first);
  const message = `sendBatch(): ${failedCount} of ${results.length} records were not appended: ${what}`;
  return new SendBatchError(message, { results, cause: first });
}
