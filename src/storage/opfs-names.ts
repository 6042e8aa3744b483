/** Which name stands for which numbered file: the tree that the book of names tells, in memory. Pure. */
import type { StorageEntry } from "../api/storage-driver.ts";
import { errnoError } from "./errno.ts";
import type { NameChange } from "./opfs-book-line.ts";
import { parseFileName } from "./storage-name.ts";

type Files = Map<string, number>;

export class OpfsNames {
  readonly #root: Files = new Map();
  readonly #directories = new Map<string, Files>();

  /** The number of the file of this name; undefined where there is none. Throws where there is no such directory. */
  find(name: string, call: string): number | undefined {
    const { directory, base } = parseFileName(name);
    const slot = this.files(directory, call, name).get(base);
    if (slot === undefined && directory === "" && this.#directories.has(base)) throw errnoError("EISDIR", call, name);
    return slot;
  }

  /** The same of a file that must be there. */
  require(name: string, call: string): number {
    const slot = this.find(name, call);
    if (slot === undefined) throw errnoError("ENOENT", call, name);
    return slot;
  }

  files(directory: string, call: string, name: string): Files {
    if (directory === "") return this.#root;
    const files = this.#directories.get(directory);
    if (files === undefined) throw errnoError(this.#root.has(directory) ? "ENOTDIR" : "ENOENT", call, name);
    return files;
  }

  hasDirectory(directory: string): boolean {
    return this.#directories.has(directory);
  }

  list(directory: string): StorageEntry[] {
    if (directory !== "" && this.#root.has(directory)) throw errnoError("ENOTDIR", "list", directory);
    const files = directory === "" ? this.#root : this.#directories.get(directory);
    const entries: StorageEntry[] = [];
    for (const name of files?.keys() ?? []) entries.push({ name, kind: "file" });
    if (directory === "") for (const name of this.#directories.keys()) entries.push({ name, kind: "directory" });
    return entries;
  }

  /** Throws where the change is not legal. Nothing is changed. */
  check(change: NameChange): void {
    const [what, first, second] = change;
    if (what === "mkdir") {
      if (this.#root.has(first)) throw errnoError("EEXIST", "createDirectory", first);
    } else if (what === "rmdir") {
      if (this.files(first, "removeDirectory", first).size > 0) throw errnoError("ENOTEMPTY", "removeDirectory", first);
    } else if (what === "remove") this.require(first, "remove");
    else if (what === "rename") {
      this.require(first, "replace");
      this.find(second, "replace");
    } else if (what === "renameDirectory") {
      this.files(first, "renameDirectory", first);
      if (this.#root.has(second) || this.#directories.has(second)) throw errnoError("EEXIST", "renameDirectory", second);
    } else this.find(first, "open");
  }

  /** Makes a change that was checked; answers the number of a file that has no name any more, or null. */
  apply(change: NameChange): number | null {
    const [what, first, second] = change;
    switch (what) {
      case "mkdir":
        if (!this.#directories.has(first)) this.#directories.set(first, new Map());
        return null;
      case "rmdir":
        this.#directories.delete(first);
        return null;
      case "renameDirectory":
        this.#directories.set(second, this.files(first, what, first));
        this.#directories.delete(first);
        return null;
      case "name":
        return this.#put(first, second);
      case "remove":
        return this.#take(first);
      case "rename":
        return first === second ? null : this.#put(second, this.#take(first));
    }
  }

  /** The changes that make this tree out of nothing. */
  *changes(): Generator<NameChange> {
    for (const [base, slot] of this.#root) yield ["name", base, slot];
    for (const [directory, files] of this.#directories) {
      yield ["mkdir", directory];
      for (const [base, slot] of files) yield ["name", `${directory}/${base}`, slot];
    }
  }

  #put(name: string, slot: number): number | null {
    const { directory, base } = parseFileName(name);
    const files = this.files(directory, "name", name);
    const before = files.get(base);
    files.set(base, slot);
    return before === undefined || before === slot ? null : before;
  }

  #take(name: string): number {
    const { directory, base } = parseFileName(name);
    const files = this.files(directory, "name", name);
    const slot = files.get(base) as number;
    files.delete(base);
    return slot;
  }
}
