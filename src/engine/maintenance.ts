/** What the engine does at its hours: retention, checkpoints, offset expiry. A task that fails is told of and comes again. */
import type { Clock, Timer } from "../base/clock.ts";
import type { Events } from "./events.ts";

/** Kafka's log.initial.task.delay.ms and log.retention.check.interval.ms. */
export const FIRST_RETENTION_MS = 30_000;
export const RETENTION_INTERVAL_MS = 300_000;
/** Kafka's log.flush.offset.checkpoint.interval.ms. */
export const CHECKPOINT_INTERVAL_MS = 60_000;
/** Kafka's offsets.retention.check.interval.ms. */
export const OFFSET_EXPIRY_INTERVAL_MS = 600_000;
/** Kafka's transaction.abort.timed.out.transaction.cleanup.interval.ms. */
export const TRANSACTION_SCAN_INTERVAL_MS = 10_000;
/** Kafka's producer.id.expiration.check.interval.ms. */
export const PRODUCER_EXPIRY_INTERVAL_MS = 600_000;

export interface MaintenanceTask {
  readonly name: string;
  readonly firstMs: number;
  readonly intervalMs: number;
  readonly run: () => Promise<unknown>;
}

export class Maintenance {
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #timers: Set<Timer> = new Set();
  readonly #running: Set<Promise<void>> = new Set();
  #stopped = false;

  constructor(clock: Clock, events: Events, tasks: readonly MaintenanceTask[]) {
    this.#clock = clock;
    this.#events = events;
    for (const task of tasks) this.#schedule(task, task.firstMs);
  }

  /** Cancels what has not begun and waits for what has. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  #schedule(task: MaintenanceTask, delayMs: number): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      const run = this.#run(task).finally(() => {
        this.#running.delete(run);
        if (!this.#stopped) this.#schedule(task, task.intervalMs);
      });
      this.#running.add(run);
    });
    this.#timers.add(timer);
  }

  async #run(task: MaintenanceTask): Promise<void> {
    try {
      await task.run();
    } catch (error) {
      // A background task must not die silently, nor take the log with it: told, and tried again at its next hour.
      this.#events.emit("maintenance.failed", { task: task.name, error });
    }
  }
}
