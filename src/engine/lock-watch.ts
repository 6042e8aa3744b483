/** Whether the directory's lock is still ours: someone may delete its file under our hands, and a second writer take a new one. */
import type { StorageLock } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import type { Events } from "./events.ts";

/** How long two writers may go unnoticed at most, when the one thing that must not be done was done. */
export const LOCK_CHECK_INTERVAL_MS = 1000;

export class LockWatch {
  readonly #lock: StorageLock | null;
  readonly #events: Events;
  #lost: StorageError | null = null;

  /** `lock` null: the log is read only and has none. */
  constructor(lock: StorageLock | null, events: Events) {
    this.#lock = lock;
    this.#events = events;
  }

  /** What every further write is refused with; null while the lock is held. Once lost it stays lost. */
  get lost(): StorageError | null {
    return this.#lost;
  }

  check(): void {
    if (this.#lost !== null || this.#lock === null || this.#lock.stillHeld()) return;
    this.#lost = new StorageError(
      "LOCK_LOST",
      "the lock file of this directory was removed or replaced while it was open, and another writer may be here: nothing more is written; close, look, and open again",
    );
    this.#events.emit("lock.lost", { error: this.#lost });
  }

  async release(): Promise<void> {
    await this.#lock?.release();
  }
}
