/**
 * What Odradek asks of a place to keep bytes. A driver knows nothing of logs; it says what it can promise and keeps it.
 * Names are paths relative to the driver's root, with "/" between parts, of at most two parts. A call that the system refuses
 * fails with an error whose `code` is the errno ("ENOSPC"), or whose `cause` is such an error. Driver calls return promises
 * and never throw at once. The contract is a test suite as well: `storageContract` in `odradek/testing`.
 */
import type { Durability } from "./bytes.ts";

/** A place to keep files. `storageContract` of `odradek/testing` says the same as tests. */
export interface StorageDriver {
  /** What a resolved `sync` outlives. */
  readonly durability: Durability;
  /** Whether `replace` leaves the old or the new file after a crash, never neither. */
  readonly atomicReplace: boolean;
  /** Whether directory entries need, and get, a flush of their own. */
  readonly directorySync: boolean;
  /** Whether another process may read the files while this one writes. */
  readonly sharedReaders: boolean;
  /**
   * How many bytes ahead of what is written a file may be made long, where that pays: it takes neither time nor room (what is not written
   * is a hole), and a flush of bytes below the length is cheaper than one that makes a new length durable too. Absent or 0: never.
   */
  readonly aheadByteLength?: number;

  /** Opens a file for reading and writing. `create`: "no" (must exist), "if-missing", or "new" (must not exist). */
  open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile>;
  /** The entries of a directory ("" is the root), in no order; a directory that is not there has none. */
  list(directory: string): Promise<StorageEntry[]>;
  /** Makes a directory below the root; does nothing where there is one already. */
  createDirectory(directory: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectory(directory: string): Promise<void>;
  /** Renames the file `from` over `to`, in the same directory; open files follow their bytes. Durable after `syncDirectory` of that directory. */
  replace(from: string, to: string): Promise<void>;
  /** Renames a directory; the target must not exist. */
  renameDirectory(from: string, to: string): Promise<void>;
  /** Removes a file. Who has it open reads and writes on until it is closed (where the system allows: Windows refuses the removal). */
  remove(name: string): Promise<void>;
  /** Resolves when the entries of this directory are as durable as the driver makes anything. A no-op where `directorySync` is false. */
  syncDirectory(directory: string): Promise<void>;
  /** Takes the one writer's lock of this root, or rejects with `DIRECTORY_IN_USE` and the holder's name. Dropped with the process. */
  lock(holder: LockHolder, options: LockOptions): Promise<StorageLock>;
  /** Releases what the driver itself holds. Files and locks are closed by their owners. */
  close(): Promise<void>;
}

/** What stands under a name. */
export interface StorageEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "other";
}

/**
 * A file. The data calls are synchronous, so that an append is one uninterrupted turn from offset to write; only durability
 * waits. A call on a closed file throws (or rejects), and so does one that the system refuses. Writing to a file opened
 * `readOnly` is refused.
 */
export interface StorageFile {
  /** Fills `into` from `position`; answers the bytes read, fewer only at the end of the file. */
  readAt(into: Uint8Array, position: number): number;
  /** Writes from `position`, growing the file as needed (a gap reads as zeros); answers the bytes written, which may be fewer than given. At most 1 MiB a call. */
  writeAt(bytes: Uint8Array, position: number): number;
  /** Cuts or grows (with zeros) to `byteLength`. */
  truncate(byteLength: number): void;
  /** How long the file is now. */
  byteLength(): number;
  /** Milliseconds since 1970 of the last change of the contents. */
  modifiedAt(): number;
  /** Resolves when every byte written before the call is as durable as the driver makes anything. Never retried on the same pages. */
  sync(): Promise<void>;
  /** Brings cold bytes near without blocking the loop. Advice: it may do nothing, and never fails. */
  readAhead(position: number, byteLength: number): Promise<void>;
  /** Waits for calls in flight, then closes. Idempotent. A failure counts as a failed flush. */
  close(): Promise<void>;
}

/** Who holds a directory, for the message to the next one who comes. Information only: nothing is decided on it. */
export interface LockHolder {
  readonly pid: number;
  readonly runtime: string;
  readonly version: string;
  readonly since: string;
  readonly argv: readonly string[];
  readonly hostname: string;
}

/** How the lock is taken. */
export interface LockOptions {
  /** "auto": the one sound mechanism of this operating system. "socket": the second best; every opener must choose it. */
  readonly mechanism: "auto" | "socket";
  readonly allowNetworkFileSystem: boolean;
  /** How long a refusal is doubted before it is told; a driver's own guess unless given. */
  readonly retryMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The one writer's lock, held. */
export interface StorageLock {
  /** False once another file stands under the lock's name: someone deleted it under our hands. */
  stillHeld(): boolean;
  /** Lets it go. Idempotent. */
  release(): Promise<void>;
}
