/** How the engine is heard: one event goes to `onEvent`, to the logger and to the diagnostics channel alike. Never throws. */
import type { TopicPartition } from "../api/bytes.ts";
import type { Logger, OdradekEvent } from "../api/odradek.ts";
import type { Clock } from "../base/clock.ts";

export type EventFields = { readonly partition?: TopicPartition; readonly [field: string]: unknown };

/** Publishes to `odradek:<type>` where the runtime has diagnostics channels. */
export type DiagnosticsPublisher = (event: OdradekEvent) => void;

/** Events that tell of harm, or that an operator waits for; every other one is told at debug level. */
const LEVELS: Readonly<Record<string, keyof Logger>> = {
  "recovery.cut": "warn",
  "recovery.damage": "error",
  "offset.reset": "warn",
  "offset.clamped": "warn",
  "commit.failed": "warn",
  "send.failed": "warn",
  "group.notKept": "warn",
  "record.skipped": "warn",
  "storage.failed": "error",
  "partition.failed": "error",
  "book.rebuilt": "warn",
  "lock.lost": "error",
  "directory.suspicious": "warn",
  "listener.failed": "warn",
  "maintenance.failed": "error",
  "transaction.timedOut": "warn",
  "transaction.late": "warn",
  "transaction.inDoubt": "error",
  "transaction.unknown": "warn",
  "compaction.failed": "error",
  "quota.throttled": "info",
  "owner.lost": "warn",
  "owner.became": "info",
};

export class Events {
  readonly #clock: Clock;
  readonly #onEvent: ((event: OdradekEvent) => void) | undefined;
  readonly #logger: Logger | undefined;
  readonly #publish: DiagnosticsPublisher | undefined;
  readonly #counts: Map<string, number> = new Map();

  constructor(
    clock: Clock,
    listeners: {
      readonly onEvent?: ((event: OdradekEvent) => void) | undefined;
      readonly logger?: Logger | undefined;
      readonly publish?: DiagnosticsPublisher | undefined;
    },
  ) {
    this.#clock = clock;
    this.#onEvent = listeners.onEvent;
    this.#logger = listeners.logger;
    this.#publish = listeners.publish;
  }

  /** How often each type was told: part of `metrics()`. */
  counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** A field, not a method, since it is handed down to every layer below. */
  readonly emit = (type: string, fields: EventFields): void => {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
    if (this.#onEvent === undefined && this.#logger === undefined && this.#publish === undefined) return;
    const event: OdradekEvent = Object.freeze({ ...fields, type, timestamp: this.#clock.now() });
    // A listener that throws harms nobody but itself: the log goes on.
    quietly(() => this.#onEvent?.(event));
    quietly(() => this.#logger?.[LEVELS[type] ?? "debug"](event, type));
    quietly(() => this.#publish?.(event));
  };
}

function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // The listener's own failure; telling it to the listeners again would only repeat it.
  }
}
