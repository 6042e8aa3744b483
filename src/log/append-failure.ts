/** What the sender is told when nothing was kept of its batch: the same call may succeed later. */
import { OdradekError, StorageError } from "../base/errors.ts";

export function retriable(error: unknown, where: string): OdradekError {
  if (error instanceof OdradekError && error.retriable) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageError("KAFKA_STORAGE_ERROR", `${where}: nothing of the batch was kept: ${reason}`, { cause: error });
}
