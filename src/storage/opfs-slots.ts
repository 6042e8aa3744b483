/** The numbered files of the origin's private file system, and the one handle that the browser gives for each while it is open. */

import { systemClock } from "../base/clock.ts";
import { StorageError } from "../base/errors.ts";
import { noSyncHandles, webError, webErrorName } from "./opfs-errors.ts";
import { type WebDirectory, type WebFile, type WebSyncHandle, webScope } from "./opfs-web.ts";

/** A handle that a tab held which has just died, or that was closed a moment ago, is free again after so long: 47 ms were seen. */
const HANDLE_WAIT_MS_MAX = 2000;
const HANDLE_RETRY_MS = 10;

/** An open file: its handle, shared by all who have it open. */
export interface Slot {
  readonly number: number;
  readonly handle: WebSyncHandle;
  modifiedAt: number;
  openCount: number;
}

export class OpfsSlots {
  readonly #directory: WebDirectory;
  readonly #open = new Map<number, Promise<Slot>>();
  /** Without a name since the last flush of the book: the book on disk may still name them. */
  #nameless = new Set<number>();
  /** Without a name for good: removed once nobody has them open. */
  readonly #doomed = new Set<number>();
  #next: number;

  constructor(directory: WebDirectory, next: number) {
    this.#directory = directory;
    this.#next = next;
  }

  /** A new, empty file with a number that none had before. */
  async create(name: string): Promise<Slot> {
    const number = this.#next++;
    return this.#share(number, name, async () => this.#slot(number, await this.#directory.getFileHandle(String(number), { create: true })));
  }

  open(number: number, name: string): Promise<Slot> {
    return this.#share(number, name, async () => this.#slot(number, await this.#directory.getFileHandle(String(number))));
  }

  release(slot: Slot): void {
    if (--slot.openCount > 0) return;
    this.#open.delete(slot.number);
    slot.handle.close();
    if (this.#doomed.has(slot.number)) void this.#remove(slot.number);
  }

  /** The file has lost its name. Its bytes stay until `sweep`: a crash may bring the name back. */
  unname(number: number): void {
    this.#nameless.add(number);
  }

  /** The book was flushed: what had lost its name before is not needed any more. */
  sweep(): void {
    const gone = this.#nameless;
    this.#nameless = new Set();
    for (const number of gone) {
      this.#doomed.add(number);
      if (!this.#open.has(number)) void this.#remove(number);
    }
  }

  async #remove(number: number): Promise<void> {
    this.#doomed.delete(number);
    try {
      await this.#directory.removeEntry(String(number));
    } catch {
      // A file without a name costs room alone, and the next one who opens the log removes it.
      return;
    }
  }

  async #share(number: number, name: string, make: () => Promise<Slot>): Promise<Slot> {
    let opening = this.#open.get(number);
    if (opening === undefined) {
      opening = make();
      this.#open.set(number, opening);
      opening.catch(() => this.#open.delete(number));
    }
    try {
      const slot = await opening;
      slot.openCount++;
      // Between the last close of others and this turn it may have been closed.
      if (this.#open.get(number) === opening) return slot;
    } catch (error) {
      throw webError(error, "open", name);
    }
    return this.#share(number, name, make);
  }

  async #slot(number: number, file: WebFile): Promise<Slot> {
    const { lastModified } = await file.getFile();
    return { number, handle: await syncHandle(file), modifiedAt: lastModified, openCount: 0 };
  }
}

/** The file's one handle. Waits for one who is just letting it go; rejects with `DIRECTORY_IN_USE` where somebody keeps it. */
export async function syncHandle(file: WebFile): Promise<WebSyncHandle> {
  if (file.createSyncAccessHandle === undefined) throw noSyncHandles(webScope());
  const giveUpAt = systemClock.monotonic() + HANDLE_WAIT_MS_MAX;
  for (;;) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (webErrorName(error) !== "NoModificationAllowedError") throw error;
      if (systemClock.monotonic() > giveUpAt) {
        throw new StorageError(
          "DIRECTORY_IN_USE",
          `opfs: another tab or worker of this origin has ${file.name} open. Close that tab, or reach the log through it (docs/STORAGE.md); a tab that hangs must be closed or reloaded before its files are free`,
          { cause: error },
        );
      }
      await new Promise<void>((wake) => systemClock.after(HANDLE_RETRY_MS, wake, true));
    }
  }
}
