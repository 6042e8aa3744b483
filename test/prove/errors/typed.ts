/** Whether an error is one that a program may be given for a fault below: of a family that says who can mend it, never a bare one. */
import { CoreFaultError, OdradekError, ProducerStateError, StorageError, UsageError } from "../../../src/base/errors.ts";

/** What else was done to it than refusals of the storage. */
export interface Circumstances {
  /** The core was made to fail. */
  readonly core?: boolean;
  /** Producers write: what was lost to a fault may leave a gap in their sequences. */
  readonly producers?: boolean;
  /** Topics are made and deleted: what was refused may have been done. */
  readonly topics?: boolean;
}

const TOPICS: ReadonlySet<string> = new Set(["TOPIC_ALREADY_EXISTS", "UNKNOWN_TOPIC_OR_PARTITION"]);

/** What is wrong with it; null: nothing. */
export function wrongWith(error: unknown, { core, producers, topics }: Circumstances): string | null {
  if (!(error instanceof OdradekError)) return `expected an OdradekError, found ${shown(error)}`;
  if (error.code === "UNKNOWN_SERVER_ERROR") return `expected an error that says what it is, found ${shown(error)}`;
  if (error instanceof StorageError) return null;
  if (error instanceof CoreFaultError && core === true) return null;
  if (error instanceof ProducerStateError && producers === true) return null;
  if (error instanceof UsageError && error.code === "LOG_CLOSED") return null;
  if (error instanceof UsageError && topics === true && TOPICS.has(error.code)) return null;
  return `expected a StorageError, found ${shown(error)}`;
}

function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where = (error.stack ?? "")
    .split("\n")
    .slice(1, 4)
    .map((line) => line.trim());
  return `${error.name} ${String((error as { code?: unknown }).code ?? "")}: ${error.message} (${where.join(" ")})`;
}
