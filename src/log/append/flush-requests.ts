/** Asks for the flushes that nobody waits for: at once or at their hour, as the topic's settings say. */
import type { TopicConfig } from "../../api/topic.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { flushIsDue, type UnflushedFacts } from "./flush-policy.ts";

export interface FlushRequestHost {
  readonly clock: Clock;
  readonly config: () => Pick<TopicConfig, "durability" | "flushMessages" | "flushMs">;
  /** What is written and not flushed now. */
  readonly unflushed: () => Omit<UnflushedFacts, "ageMs">;
  readonly request: () => void;
}

export class FlushRequests {
  readonly #host: FlushRequestHost;
  #unflushedSinceMs = 0;
  #timer: Timer | null = null;

  constructor(host: FlushRequestHost) {
    this.#host = host;
  }

  /** What is unflushed grows older from now on. */
  beginAge(): void {
    this.#unflushedSinceMs = this.#host.clock.monotonic();
  }

  /** After a write: requests a flush, or sees to it that one is requested when `flushMs` have passed. */
  consider(): void {
    const { clock, config, request, unflushed } = this.#host;
    const settings = config();
    // Every append on such a topic joins the next flush, whatever its age: the clock need not be asked.
    if (settings.durability === "sync") {
      if (unflushed().byteLength > 0) request();
      return;
    }
    // Where age does not count, the clock need not be asked either.
    const hasHour = settings.flushMs !== Number.POSITIVE_INFINITY;
    const ageMs = hasHour ? clock.monotonic() - this.#unflushedSinceMs : 0;
    const { byteLength, recordCount } = unflushed();
    if (flushIsDue({ byteLength, recordCount, ageMs }, settings)) request();
    else if (this.#timer === null && hasHour) {
      this.#timer = clock.after(settings.flushMs - ageMs, () => {
        this.#timer = null;
        request();
      });
    }
  }

  /** Forgets the hour it waited for. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
