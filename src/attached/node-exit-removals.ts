/** Folders that are to go when the process ends by itself, however that comes. A signal that kills it leaves them. */
import { rmSync } from "node:fs";

export class ExitRemovals {
  readonly #folders: Set<string> = new Set();
  readonly #remove = (): void => {
    for (const folder of this.#folders) {
      try {
        rmSync(folder, { recursive: true, force: true });
      } catch {
        // The next owner of that data directory removes it.
      }
    }
  };

  add(folder: string): void {
    // One listener, and only while there is something to remove.
    if (this.#folders.size === 0) process.once("exit", this.#remove);
    this.#folders.add(folder);
  }

  delete(folder: string): void {
    if (this.#folders.delete(folder) && this.#folders.size === 0) process.off("exit", this.#remove);
  }
}
