/** What the sender is told when nothing was kept of its batch: the same call may succeed later. */
import { OdradekError, StorageError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";

export function retriable(error: unknown, where: string): OdradekError {
  if (error instanceof OdradekError && error.retriable) return error;
  const reason = reasonOf(error);
  return new StorageError("KAFKA_STORAGE_ERROR", `${where}: nothing of the batch was kept: ${reason}`, { cause: error });
}
