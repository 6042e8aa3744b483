/** The sealed segments of a data directory whose files stand open though nobody reads them: those read last, up to a bound. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import type { LogContext } from "../context/log-context.ts";

/** Three handles each. What is read here and there in 64 GiB of log, at Kafka's size of a segment, is opened once. */
export const IDLE_SEGMENTS_OPEN_MAX = 64;

interface Closable {
  /** Closes handles that nobody holds. */
  closeIdle(): Promise<void>;
}

export class IdleSegments {
  /** In the order in which they were read. */
  readonly #segments: Set<Closable> = new Set();

  /** It was read, and answers those whose handles are to be closed for it. */
  touched(segment: Closable): readonly Closable[] {
    const closing: Closable[] = [];
    this.#segments.delete(segment);
    for (const oldest of this.#segments) {
      if (this.#segments.size < IDLE_SEGMENTS_OPEN_MAX) break;
      this.#segments.delete(oldest);
      closing.push(oldest);
    }
    this.#segments.add(segment);
    return closing;
  }

  /** Its files are closed. */
  forget(segment: Closable): void {
    this.#segments.delete(segment);
  }
}

const IDLE = new WeakMap<StorageDriver, IdleSegments>();

/** One for all logs of a data directory: partitions are many, and each keeping some open would be no bound at all. */
export function idleSegmentsOf({ storage }: Pick<LogContext, "storage">): IdleSegments {
  let idle = IDLE.get(storage);
  if (idle === undefined) {
    idle = new IdleSegments();
    IDLE.set(storage, idle);
  }
  return idle;
}
