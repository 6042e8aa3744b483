/** Any storage driver, made to fail by plan: which call, of which file, how often, and in what way. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import type { Clock } from "../base/clock.ts";
import { errnoError } from "../storage/errno.ts";

const FILE_CALLS = ["readAt", "writeAt", "truncate", "byteLength", "modifiedAt", "sync", "readAhead", "closeFile"] as const;
const DRIVER_CALLS = [
  "open",
  "list",
  "createDirectory",
  "removeDirectory",
  "replace",
  "renameDirectory",
  "remove",
  "syncDirectory",
  "lock",
] as const;

/** Every call of the contract, by its name; `closeFile` is a file's `close`. The driver's own `close` never fails. */
export type StorageCall = (typeof FILE_CALLS)[number] | (typeof DRIVER_CALLS)[number];

/** All of them, for a test that goes through them. */
export const STORAGE_CALLS: readonly StorageCall[] = [...DRIVER_CALLS, ...FILE_CALLS];

/** One thing that goes wrong. */
export interface Fault {
  /** Which calls it may hit; all unless given. */
  readonly call?: StorageCall | readonly StorageCall[];
  /** Which files or directories (for a rename the old name); all unless given. */
  readonly name?: RegExp;
  /** It begins with the n-th call that matches since it was planned; 1, the next one, unless given. */
  readonly nth?: number;
  /** For how many matching calls it stays; 1 unless given, `Infinity` for ever. */
  readonly times?: number;
  /** The errno of the refusal. */
  readonly errno?: string;
  /** Instead of a refusal, or before it: a read or write of so many bytes fewer than asked (never fewer than 0). */
  readonly shortBy?: number;
  /** The same, said from the other side: at most so many bytes are read or written. */
  readonly atMost?: number;
  /** The call has done its work when it fails. */
  readonly afterEffect?: boolean;
  /** Called with the file's or directory's name when a call meets it, before anything else: for a disk below that has its own way to fail. */
  readonly onMeet?: (name: string) => void;
  /** The machine stops: this call and every later one is refused with ESHUTDOWN. */
  readonly halt?: boolean;
}

/** Faults from the start, and how long calls take. */
export interface FaultyStorageOptions {
  readonly faults?: readonly Fault[];
  /** With `latencyMs`: how long an asynchronous call takes before it does anything. */
  readonly clock?: Clock;
  /** In milliseconds of `clock`; none unless given. */
  readonly latencyMs?: (call: StorageCall, name: string) => number;
}

/** A fault as it goes. */
export interface PlannedFault {
  readonly fault: Fault;
  /** How many calls could have met it so far, and how many did. */
  readonly matchCount: number;
  readonly metCount: number;
}

/** `driver`, made to fail by plan. See `FaultyStorage`. */
export function faultyStorage(driver: StorageDriver, options: FaultyStorageOptions = {}): FaultyStorage {
  return new FaultyStorage(driver, options);
}

/** A storage driver that fails as planned and counts its calls; else it is the one it was given. */
export class FaultyStorage implements StorageDriver {
  readonly durability: StorageDriver["durability"];
  readonly atomicReplace: boolean;
  readonly directorySync: boolean;
  readonly sharedReaders: boolean;
  readonly aheadByteLength: number;
  readonly #driver: StorageDriver;
  readonly #options: FaultyStorageOptions;
  readonly #counts = new Map<StorageCall, number>();
  #planned: Writable<PlannedFault>[] = [];
  #halted = false;
  readonly #openFiles: Map<symbol, string> = new Map();
  #heldLockCount = 0;

  constructor(driver: StorageDriver, options: FaultyStorageOptions = {}) {
    this.#driver = driver;
    this.#options = options;
    this.durability = driver.durability;
    this.atomicReplace = driver.atomicReplace;
    this.directorySync = driver.directorySync;
    this.sharedReaders = driver.sharedReaders;
    this.aheadByteLength = driver.aheadByteLength ?? 0;
    for (const fault of options.faults ?? []) this.fail(fault);
  }

  /** Plans a fault; it counts calls from now on. */
  fail(fault: Fault): PlannedFault {
    if (fault.errno === undefined && fault.shortBy === undefined && fault.atMost === undefined && fault.halt !== true) {
      throw new TypeError("FaultyStorage.fail: expected an errno, shortBy, atMost or halt, found none: such a fault does nothing");
    }
    const planned = { fault, matchCount: 0, metCount: 0 };
    this.#planned.push(planned);
    return planned;
  }

  /** Forgets every planned fault. A halt stays. */
  mend(): void {
    this.#planned = [];
  }

  /** Calls made so far, those that failed included: of one kind, or of all. */
  count(call?: StorageCall): number {
    if (call !== undefined) return this.#counts.get(call) ?? 0;
    let sum = 0;
    for (const count of this.#counts.values()) sum += count;
    return sum;
  }

  /** Files that are open now: what is not given back after a failure is lost to the process. */
  get openFileCount(): number {
    return this.#openFiles.size;
  }

  /** Their names, in the order in which they were opened. */
  get openFileNames(): readonly string[] {
    return [...this.#openFiles.values()];
  }

  /** Locks that are held now. One that outlives its log keeps every other opener out for good. */
  get heldLockCount(): number {
    return this.#heldLockCount;
  }

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    let opened: StorageFile | null = null;
    try {
      const file = await this.later("open", name, async () => {
        opened = await this.#driver.open(name, options);
        return opened;
      });
      const opening = Symbol();
      this.#openFiles.set(opening, name);
      return new FaultyFile(this, name, file, () => this.#openFiles.delete(opening));
    } catch (error) {
      // Made, perhaps, but nobody was given a handle of it.
      await (opened as StorageFile | null)?.close();
      throw error;
    }
  }

  list(directory: string): Promise<StorageEntry[]> {
    return this.later("list", directory, () => this.#driver.list(directory));
  }

  createDirectory(directory: string): Promise<void> {
    return this.later("createDirectory", directory, () => this.#driver.createDirectory(directory));
  }

  removeDirectory(directory: string): Promise<void> {
    return this.later("removeDirectory", directory, () => this.#driver.removeDirectory(directory));
  }

  replace(from: string, to: string): Promise<void> {
    return this.later("replace", from, () => this.#driver.replace(from, to));
  }

  renameDirectory(from: string, to: string): Promise<void> {
    return this.later("renameDirectory", from, () => this.#driver.renameDirectory(from, to));
  }

  remove(name: string): Promise<void> {
    return this.later("remove", name, () => this.#driver.remove(name));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.later("syncDirectory", directory, () => this.#driver.syncDirectory(directory));
  }

  async lock(holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    let taken: StorageLock | null = null;
    try {
      const lock = await this.later("lock", "", async () => {
        taken = await this.#driver.lock(holder, options);
        return taken;
      });
      this.#heldLockCount += 1;
      let isHeld = true;
      const release = (): Promise<void> => {
        if (isHeld) this.#heldLockCount -= 1;
        isHeld = false;
        return lock.release();
      };
      return { stillHeld: () => lock.stillHeld(), release };
    } catch (error) {
      // Taken, perhaps, but nobody was told.
      await (taken as StorageLock | null)?.release();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  /** @internal A call that waits and may fail. */
  async later<T>(call: StorageCall, name: string, body: () => Promise<T>): Promise<T> {
    const fault = this.#meet(call, name);
    await this.#delay(call, name);
    if (fault?.errno !== undefined && fault.afterEffect !== true) throw errnoError(fault.errno, call, name);
    const answer = await body();
    if (fault?.errno !== undefined) throw errnoError(fault.errno, call, name);
    return answer;
  }

  /** @internal A synchronous call; `body` is given the fault, for how many bytes to leave out. */
  now<T>(call: StorageCall, name: string, body: (fault: Fault | null) => T): T {
    const fault = this.#meet(call, name);
    const isShort = fault?.shortBy !== undefined || fault?.atMost !== undefined;
    const works = fault?.errno === undefined || fault.afterEffect === true || isShort;
    const answer = works ? body(fault) : null;
    if (fault?.errno !== undefined) throw errnoError(fault.errno, call, name);
    return answer as T;
  }

  async #delay(call: StorageCall, name: string): Promise<void> {
    const { clock, latencyMs } = this.#options;
    const delayMs = latencyMs?.(call, name) ?? 0;
    if (clock === undefined || delayMs <= 0) return;
    await new Promise<void>((resolve) => {
      clock.after(delayMs, resolve);
    });
  }

  /** The first planned fault that this call meets. Every fault that matches counts the call. */
  #meet(call: StorageCall, name: string): Fault | null {
    this.#counts.set(call, this.count(call) + 1);
    if (this.#halted) throw errnoError("ESHUTDOWN", call, name);
    let met: Writable<PlannedFault> | null = null;
    for (const planned of this.#planned) {
      const { fault } = planned;
      if (fault.call !== undefined && (typeof fault.call === "string" ? fault.call !== call : !fault.call.includes(call))) continue;
      if (fault.name !== undefined && !fault.name.test(name)) continue;
      const number = ++planned.matchCount;
      const first = fault.nth ?? 1;
      if (number >= first && number < first + (fault.times ?? 1)) met ??= planned;
    }
    if (met === null) return null;
    met.metCount += 1;
    met.fault.onMeet?.(name);
    if (met.fault.halt !== true) return met.fault;
    this.#halted = true;
    throw errnoError("ESHUTDOWN", call, name);
  }
}

class FaultyFile implements StorageFile {
  readonly #storage: FaultyStorage;
  readonly #name: string;
  readonly #file: StorageFile;
  #onClose: (() => void) | null;

  constructor(storage: FaultyStorage, name: string, file: StorageFile, onClose: () => void) {
    this.#storage = storage;
    this.#name = name;
    this.#file = file;
    this.#onClose = onClose;
  }

  readAt(into: Uint8Array, position: number): number {
    return this.#storage.now("readAt", this.#name, (fault) => this.#file.readAt(shortened(into, fault), position));
  }

  writeAt(bytes: Uint8Array, position: number): number {
    return this.#storage.now("writeAt", this.#name, (fault) => this.#file.writeAt(shortened(bytes, fault), position));
  }

  truncate(byteLength: number): void {
    this.#storage.now("truncate", this.#name, () => this.#file.truncate(byteLength));
  }

  byteLength(): number {
    return this.#storage.now("byteLength", this.#name, () => this.#file.byteLength());
  }

  modifiedAt(): number {
    return this.#storage.now("modifiedAt", this.#name, () => this.#file.modifiedAt());
  }

  sync(): Promise<void> {
    return this.#storage.later("sync", this.#name, () => this.#file.sync());
  }

  /** The contract says that it never fails; whoever asks must live with one that does all the same. */
  readAhead(position: number, byteLength: number): Promise<void> {
    return this.#storage.later("readAhead", this.#name, () => this.#file.readAhead(position, byteLength));
  }

  /** A close that fails has closed all the same, as a system's does. */
  async close(): Promise<void> {
    this.#onClose?.();
    this.#onClose = null;
    const closing = this.#file.close();
    try {
      await this.#storage.later("closeFile", this.#name, () => closing);
    } finally {
      await closing;
    }
  }
}

function shortened(bytes: Uint8Array, fault: Fault | null): Uint8Array {
  if (fault?.shortBy === undefined && fault?.atMost === undefined) return bytes;
  return bytes.subarray(0, Math.max(0, Math.min(bytes.length - (fault.shortBy ?? 0), fault.atMost ?? bytes.length)));
}

type Writable<T> = { -readonly [Field in keyof T]: T[Field] };
