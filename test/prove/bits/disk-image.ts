/** A directory frozen at a moment, and a storage in memory that begins as it, may be changed in any way, and goes back to it at once. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../../../src/api/storage-driver.ts";
import { errnoError } from "../../../src/storage/errno.ts";
import { parseFileName, parseRename } from "../../../src/storage/storage-name.ts";

/** Bytes by path, "directory/file" or "file". */
export type DiskImage = ReadonlyMap<string, Uint8Array>;

/** Every file of a storage. */
export async function imageOf(storage: StorageDriver): Promise<DiskImage> {
  const image = new Map<string, Uint8Array>();
  const take = async (directory: string): Promise<void> => {
    for (const { name, kind } of await storage.list(directory)) {
      const path = directory === "" ? name : `${directory}/${name}`;
      if (kind === "directory") {
        await take(path);
        continue;
      }
      const file = await storage.open(path, { create: "no", readOnly: true });
      const bytes = new Uint8Array(file.byteLength());
      file.readAt(bytes, 0);
      await file.close();
      image.set(path, bytes);
    }
  };
  await take("");
  return image;
}

interface Content {
  bytes: Uint8Array;
  length: number;
  readonly original: Uint8Array | null;
}

type Directory = Map<string, Content>;

interface Changes {
  readonly contents: Set<Content>;
  /** By whoever has the storage open: not by a flip or a harm of ours. */
  wereWritten: boolean;
}

/** Never fails of itself, and keeps no times. What was flipped or harmed stays until `reset`. */
export class ImageStorage implements StorageDriver {
  readonly durability = "none";
  readonly atomicReplace = true;
  readonly directorySync = false;
  readonly sharedReaders = true;
  readonly #original: ReadonlyMap<string, ReadonlyMap<string, Content>>;
  readonly #changes: Changes = { contents: new Set(), wereWritten: false };
  #directories: Map<string, Directory> = new Map();
  #isRenamed = false;

  constructor(image: DiskImage) {
    const original = new Map<string, Map<string, Content>>([["", new Map()]]);
    for (const [path, bytes] of image) {
      const { directory, base } = parseFileName(path);
      const entries = original.get(directory) ?? new Map<string, Content>();
      entries.set(base, { bytes: bytes.slice(), length: bytes.length, original: bytes });
      original.set(directory, entries);
    }
    this.#original = original;
    this.#isRenamed = true;
    this.reset();
  }

  /** Whether anyone who had it open has changed anything since the last `reset`. */
  get wasWritten(): boolean {
    return this.#changes.wereWritten;
  }

  reset(): void {
    for (const content of this.#changes.contents) {
      const { original } = content;
      if (original === null) continue;
      if (content.bytes.length < original.length) content.bytes = original.slice();
      else content.bytes.fill(0, original.length).set(original);
      content.length = original.length;
    }
    this.#changes.contents.clear();
    this.#changes.wereWritten = false;
    if (!this.#isRenamed) return;
    this.#directories = new Map([...this.#original].map(([name, entries]) => [name, new Map(entries)]));
    this.#isRenamed = false;
  }

  flip(path: string, bit: number): void {
    const content = this.#content(path, "flip");
    this.#changes.contents.add(content);
    content.bytes[bit >>> 3] = (content.bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
  }

  /** What stands in a file now: no copy. */
  bytesOf(path: string): Uint8Array | null {
    const { directory, base } = parseFileName(path);
    const content = this.#directories.get(directory)?.get(base);
    return content === undefined ? null : content.bytes.subarray(0, content.length);
  }

  /** Puts other bytes under a name; null removes it. */
  put(path: string, bytes: Uint8Array | null): void {
    const { directory, base } = parseFileName(path);
    let entries = this.#directories.get(directory);
    if (entries === undefined) {
      entries = new Map();
      this.#directories.set(directory, entries);
    }
    this.#isRenamed = true;
    if (bytes === null) entries.delete(base);
    else entries.set(base, { bytes: bytes.slice(), length: bytes.length, original: null });
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    const { directory, base } = parseFileName(name);
    const entries = this.#entries(directory, "open", name);
    let content = entries.get(base);
    if (content === undefined) {
      if (directory === "" && this.#directories.has(base)) throw errnoError("EISDIR", "open", name);
      if (options.create === "no") throw errnoError("ENOENT", "open", name);
      content = { bytes: new Uint8Array(0), length: 0, original: null };
      entries.set(base, content);
      this.#rename();
    } else if (options.create === "new") throw errnoError("EEXIST", "open", name);
    return new ImageFile(name, content, options.readOnly === true, this.#changes);
  }

  async list(directory: string): Promise<StorageEntry[]> {
    const entries: StorageEntry[] = [];
    for (const name of this.#directories.get(directory)?.keys() ?? []) entries.push({ name, kind: "file" });
    if (directory === "") for (const name of this.#directories.keys()) if (name !== "") entries.push({ name, kind: "directory" });
    return entries;
  }

  async createDirectory(directory: string): Promise<void> {
    if (this.#directories.has(directory)) return;
    this.#rename();
    this.#directories.set(directory, new Map());
  }

  async removeDirectory(directory: string): Promise<void> {
    if (this.#entries(directory, "removeDirectory", directory).size > 0) throw errnoError("ENOTEMPTY", "removeDirectory", directory);
    this.#rename();
    this.#directories.delete(directory);
  }

  async replace(from: string, to: string): Promise<void> {
    const { directory, fromBase, toBase } = parseRename(from, to);
    const entries = this.#entries(directory, "replace", from);
    const content = entries.get(fromBase);
    if (content === undefined) throw errnoError("ENOENT", "replace", from);
    if (fromBase === toBase) return;
    this.#rename();
    entries.delete(fromBase);
    entries.set(toBase, content);
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    const entries = this.#entries(from, "renameDirectory", from);
    if (this.#directories.has(to)) throw errnoError("EEXIST", "renameDirectory", to);
    this.#rename();
    this.#directories.delete(from);
    this.#directories.set(to, entries);
  }

  async remove(name: string): Promise<void> {
    const { directory, base } = parseFileName(name);
    if (!this.#entries(directory, "remove", name).delete(base)) throw errnoError("ENOENT", "remove", name);
    this.#rename();
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#entries(directory, "syncDirectory", directory);
  }

  /** Nobody else is here. */
  async lock(_holder: LockHolder, _options: LockOptions): Promise<StorageLock> {
    return { stillHeld: () => true, release: async () => {} };
  }

  async close(): Promise<void> {}

  #rename(): void {
    this.#isRenamed = true;
    this.#changes.wereWritten = true;
  }

  #content(path: string, call: string): Content {
    const { directory, base } = parseFileName(path);
    const content = this.#entries(directory, call, path).get(base);
    if (content === undefined) throw errnoError("ENOENT", call, path);
    return content;
  }

  #entries(directory: string, call: string, name: string): Directory {
    const entries = this.#directories.get(directory);
    if (entries === undefined) throw errnoError("ENOENT", call, name);
    return entries;
  }
}

class ImageFile implements StorageFile {
  readonly #name: string;
  readonly #content: Content;
  readonly #readOnly: boolean;
  readonly #changes: Changes;
  #closed = false;

  constructor(name: string, content: Content, readOnly: boolean, changes: Changes) {
    this.#name = name;
    this.#content = content;
    this.#readOnly = readOnly;
    this.#changes = changes;
  }

  readAt(into: Uint8Array, position: number): number {
    this.#check("readAt", false);
    const { bytes, length } = this.#content;
    const count = Math.min(into.length, length - position);
    if (count <= 0) return 0;
    if (count === bytes.length && position === 0) into.set(bytes);
    else into.set(bytes.subarray(position, position + count));
    return count;
  }

  writeAt(bytes: Uint8Array, position: number): number {
    this.#check("writeAt", true);
    if (bytes.length === 0) return 0;
    const content = this.#content;
    const end = position + bytes.length;
    this.#reserve(end);
    content.bytes.set(bytes, position);
    if (end > content.length) content.length = end;
    return bytes.length;
  }

  truncate(byteLength: number): void {
    this.#check("truncate", true);
    const content = this.#content;
    this.#reserve(byteLength);
    if (byteLength < content.length) content.bytes.fill(0, byteLength, content.length);
    content.length = byteLength;
  }

  byteLength(): number {
    this.#check("byteLength", false);
    return this.#content.length;
  }

  modifiedAt(): number {
    return 0;
  }

  async sync(): Promise<void> {
    this.#check("sync", false);
  }

  async readAhead(_position: number, _byteLength: number): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
  }

  #reserve(byteLength: number): void {
    const content = this.#content;
    if (byteLength <= content.bytes.length) return;
    const grown = new Uint8Array(Math.max(256, byteLength, content.bytes.length * 2));
    grown.set(content.bytes.subarray(0, content.length));
    content.bytes = grown;
  }

  #check(call: string, writes: boolean): void {
    if (this.#closed || (writes && this.#readOnly)) throw errnoError("EBADF", call, this.#name);
    if (!writes) return;
    this.#changes.contents.add(this.#content);
    this.#changes.wereWritten = true;
  }
}
