/** An origin's private file system and Web Locks in memory, as exclusive about handles as a browser's. */
import type { WebDirectory, WebFile, WebLocks, WebSyncHandle } from "../../src/storage/opfs-web.ts";

function refusal(name: string): Error {
  return Object.assign(new Error(name), { name });
}

export class FakeFile implements WebFile {
  readonly kind = "file";
  readonly name: string;
  bytes: Uint8Array = new Uint8Array(0);
  /** What a loss of power would leave. */
  flushed: Uint8Array = new Uint8Array(0);
  isOpen = false;
  /** Whether its site's data was cleared under it. */
  isGone = false;
  readonly #room: { left: number };

  constructor(name: string, room: { left: number }) {
    this.name = name;
    this.#room = room;
  }

  async getFile(): Promise<{ readonly lastModified: number }> {
    return { lastModified: Date.now() };
  }

  async createSyncAccessHandle(): Promise<WebSyncHandle> {
    if (this.isOpen) throw refusal("NoModificationAllowedError");
    this.isOpen = true;
    return new FakeHandle(this, this.#room);
  }
}

class FakeHandle implements WebSyncHandle {
  readonly #file: FakeFile;
  readonly #room: { left: number };

  constructor(file: FakeFile, room: { left: number }) {
    this.#file = file;
    this.#room = room;
  }

  read(into: Uint8Array, { at }: { readonly at: number }): number {
    const part = this.#live().bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, { at }: { readonly at: number }): number {
    const file = this.#live();
    if (at + bytes.length > file.bytes.length) this.truncate(at + bytes.length);
    file.bytes.set(bytes, at);
    return bytes.length;
  }

  truncate(byteLength: number): void {
    const file = this.#live();
    const more = byteLength - file.bytes.length;
    if (more > this.#room.left) throw refusal("QuotaExceededError");
    this.#room.left -= more;
    const resized = new Uint8Array(byteLength);
    resized.set(file.bytes.subarray(0, byteLength));
    file.bytes = resized;
  }

  getSize(): number {
    return this.#live().bytes.length;
  }

  flush(): void {
    const file = this.#live();
    file.flushed = file.bytes.slice();
  }

  close(): void {
    this.#file.isOpen = false;
  }

  #live(): FakeFile {
    if (this.#file.isGone || !this.#file.isOpen) throw refusal("InvalidStateError");
    return this.#file;
  }
}

export class FakeDirectory implements WebDirectory {
  readonly kind = "directory";
  readonly name: string;
  readonly entries: Map<string, FakeFile | FakeDirectory> = new Map();
  /** Bytes that may still be written below the root. */
  readonly room: { left: number };

  constructor(name = "", room = { left: 1 << 30 }) {
    this.name = name;
    this.room = room;
  }

  async getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<FakeFile> {
    return this.#entry(name, options?.create === true, FakeFile);
  }

  async getDirectoryHandle(name: string, options?: { readonly create?: boolean }): Promise<FakeDirectory> {
    return this.#entry(name, options?.create === true, FakeDirectory);
  }

  async removeEntry(name: string): Promise<void> {
    const entry = this.entries.get(name);
    if (entry === undefined) throw refusal("NotFoundError");
    if (entry instanceof FakeFile && entry.isOpen) throw refusal("NoModificationAllowedError");
    this.entries.delete(name);
  }

  async *values(): AsyncGenerator<FakeFile | FakeDirectory> {
    yield* [...this.entries.values()];
  }

  #entry<T extends FakeFile | FakeDirectory>(name: string, create: boolean, kind: new (name: string, room: { left: number }) => T): T {
    const entry = this.entries.get(name);
    if (entry === undefined) {
      if (!create) throw refusal("NotFoundError");
      const made = new kind(name, this.room);
      this.entries.set(name, made);
      return made;
    }
    if (!(entry instanceof kind)) throw refusal("TypeMismatchError");
    return entry;
  }
}

/** Exclusive locks alone, in the order they were asked for. */
export function fakeLocks(): WebLocks {
  const queues = new Map<string, (() => void)[]>();
  const held = new Set<string>();
  const next = (name: string): void => {
    held.delete(name);
    queues.get(name)?.shift()?.();
  };
  return {
    request: async (name, options, body) => {
      await null;
      if (held.has(name)) {
        await new Promise<void>((resolve, reject) => {
          const queue = queues.get(name) ?? [];
          queues.set(name, queue);
          queue.push(resolve);
          options.signal?.addEventListener("abort", () => {
            queue.splice(queue.indexOf(resolve), 1);
            reject(refusal("AbortError"));
          });
        });
      }
      held.add(name);
      try {
        return await body({});
      } finally {
        next(name);
      }
    },
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
  };
}
