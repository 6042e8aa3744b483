/** A simulated disk that can lose power: it knows what is durable, what is not, and everything a crash may leave of it. */
import type { LockHolder, LockOptions, StorageDriver, StorageEntry, StorageFile, StorageLock } from "../api/storage-driver.ts";
import { type Random, systemClock } from "../base/clock.ts";
import { errnoError } from "../storage/errno.ts";
import { claimInProcess } from "../storage/process-locks.ts";
import { checkDirectoryName, parseFileName, parseRename } from "../storage/storage-name.ts";
import { type CrashPolicy, digitChooser, nextDigits, randomChooser, untilTime } from "./crash-choosers.ts";
import { CrashFile } from "./crash-file.ts";
import { type CrashChooser, crashImage } from "./crash-image.ts";
import type { CrashStorageOptions } from "./crash-options.ts";
import { type SyncFailure, SyncFailures } from "./crash-sync-failures.ts";
import { SeededRandom } from "./seeded-random.ts";
import { cloneDirectory, SimDirectory, type SimNode } from "./sim-directory.ts";
import { SimFile } from "./sim-file.ts";

export type { CrashStorageOptions } from "./crash-options.ts";
export type { SyncFailure } from "./crash-sync-failures.ts";

/** How many sectors that files gave back are remembered for stale fills. */
const STALE_SECTORS_MAX = 64;

interface OpenFile {
  readonly name: string;
  readonly file: SimFile;
  readonly readOnly: boolean;
}

/** A disk that loses power when a test says so. See `CrashStorage`. */
export function crashStorage(options: CrashStorageOptions = {}): CrashStorage {
  return new CrashStorage(options);
}

/**
 * Weaker than any real file system, on purpose: a file's bytes are durable after its own `sync` alone, a name after
 * `syncDirectory` alone, and what is not may go in any part and any order of sectors. Numbers of closed files are used again
 * at once, as a system does: a write through a closed file lands in another.
 */
export class CrashStorage implements StorageDriver {
  readonly durability = "power";
  readonly atomicReplace = true;
  readonly directorySync = true;
  readonly sharedReaders = false;
  readonly aheadByteLength: number;
  readonly #options: CrashStorageOptions;
  readonly #sectorByteLength: number;
  readonly #root: SimDirectory;
  readonly #stale: Uint8Array[];
  readonly #table: (OpenFile | null)[] = [];
  readonly #syncFailures = new SyncFailures();
  readonly #lockKey = {};
  #releaseLock: (() => void) | null = null;
  #time = 0;
  #halted = false;
  #listener: ((call: string, name: string) => void) | null = null;

  /** `image` is what a crash left: leave it out. */
  constructor(
    options: CrashStorageOptions = {},
    image: { readonly root: SimDirectory; readonly stale: readonly Uint8Array[]; readonly time: number } | null = null,
  ) {
    this.#options = options;
    this.aheadByteLength = options.aheadByteLength ?? 0;
    this.#sectorByteLength = options.sectorByteLength ?? 512;
    this.#root = image?.root ?? new SimDirectory();
    this.#stale = [...(image?.stale ?? [])];
    this.#time = image?.time ?? 0;
  }

  // What a test does to the disk

  /** The power goes (or the process dies): answers the disk as the next one finds it. This one refuses every call from now on. */
  crash(random: Random = new SeededRandom(0), policy: CrashPolicy = {}): CrashStorage {
    this.halt();
    return this.afterCrash(random, policy);
  }

  /** What `crash` would answer, while this disk goes on as if nothing had happened. */
  afterCrash(random: Random = new SeededRandom(0), policy: CrashPolicy = {}): CrashStorage {
    if (policy.kind === "process") {
      const next = this.#next(cloneDirectory(this.#root));
      // The next process finds the same file system, which refuses it as well: a restart of the machine alone ends that.
      next.#syncFailures.isShutDown = this.isShutDown;
      return next;
    }
    return this.#next(this.#imageBy(randomChooser(random, policy, this.#time, this.#stale)));
  }

  /**
   * Disks that a loss of power now may leave: every one, if there are at most `limit`, else as many: nothing, everything and
   * each moment's state first, then others by (repeatable) chance. This disk goes on as if nothing had happened.
   */
  *enumerateCrashes(limit: number): Generator<CrashStorage, void, undefined> {
    const all: SimDirectory[] = [];
    for (const root of this.#everyImage(limit + 1)) all.push(root);
    if (all.length <= limit) {
      for (const root of all) yield this.#next(root);
      return;
    }
    const moments = [0, this.#time, ...this.#changeTimes()];
    const random = new SeededRandom("enumerateCrashes");
    for (let count = 0; count < limit; count++) {
      const moment = moments[count];
      const chooser = moment === undefined ? randomChooser(random, { survival: "scatter" }, this.#time, this.#stale) : untilTime(moment);
      yield this.#next(this.#imageBy(chooser));
    }
  }

  /** How many disks a loss of power now may leave; counting ends at `limit + 1`. */
  countCrashes(limit: number): number {
    let count = 0;
    for (const _root of this.#everyImage(limit + 1)) count++;
    return count;
  }

  *#everyImage(limit: number): Generator<SimDirectory, void, undefined> {
    for (let [digits, count]: [number[] | null, number] = [[], 0]; digits !== null && count < limit; count++) {
      const radices: number[] = [];
      yield this.#imageBy(digitChooser(digits, radices, this.#stale));
      digits = nextDigits(digits, radices);
    }
  }

  /** Told of each call just before it changes the disk or makes something of it durable: it may look at the disk. Null: nobody is. */
  watch(listener: ((call: string, name: string) => void) | null): void {
    this.#listener = listener;
  }

  /** A number below 2^53 that disks share on which the same would be read: names, sizes and bytes. Others hardly ever share one. */
  fingerprint(): number {
    let [one, other] = [0, 0];
    const add = (name: string, [first, second]: readonly [number, number]): void => {
      let hash = first;
      for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
      one = (one + Math.imul(hash ^ (hash >>> 13), 0x85ebca6b)) | 0;
      other = (other + Math.imul(second ^ hash, 0xc2b2ae35)) | 0;
    };
    for (const [name, node] of this.#root.entries) {
      if (node.kind === "file") add(name, node.fingerprint());
      else {
        add(`${name}/`, [0, 0]);
        // Names have two parts at most: below a directory stand files alone.
        for (const [base, file] of node.entries) add(`${name}/${base}`, (file as SimFile).fingerprint());
      }
    }
    return (one >>> 0) * 2 ** 21 + (other >>> 11);
  }

  /** Every call is refused from now on; locks are dropped, as a dead process drops them. */
  halt(): void {
    this.#halted = true;
    this.#releaseLock?.();
  }

  /**
   * The next `times` flushes of files, or of directories by their name with a slash behind it, whose name matches fail in the way
   * of a file system.
   */
  failSyncs(pattern: RegExp, failure: SyncFailure, times = 1): void {
    this.#syncFailures.plan(pattern, failure, times);
  }

  /** The file system has shut down after a flush that failed: it is read, and refuses every change. */
  get isShutDown(): boolean {
    return this.#syncFailures.isShutDown;
  }

  /** What would be read now, durable or not; null where there is no such file. */
  peek(name: string): Uint8Array | null {
    const { directory, base } = parseFileName(name);
    const node = this.#directory(directory)?.entries.get(base);
    if (node?.kind !== "file") return null;
    const bytes = new Uint8Array(node.byteLength);
    node.readAt(bytes, 0);
    return bytes;
  }

  // The driver

  async open(name: string, options: { readonly create: "no" | "if-missing" | "new"; readonly readOnly?: boolean }): Promise<StorageFile> {
    const { directory, base } = parseFileName(name);
    await this.#pause("open");
    const entries = this.#entries(directory, "open", name);
    let node = entries.entries.get(base);
    if (node?.kind === "directory") throw errnoError("EISDIR", "open", name);
    if (node !== undefined && options.create === "new") throw errnoError("EEXIST", "open", name);
    if (node === undefined) {
      if (options.create === "no") throw errnoError("ENOENT", "open", name);
      this.#checkWritable("open", name);
      this.#listener?.("open", name);
      node = new SimFile(this.#sectorByteLength);
      node.modifiedAt = this.#now();
      entries.change(++this.#time, [base, node]);
    }
    const free = this.#table.indexOf(null);
    const number = free < 0 ? this.#table.length : free;
    this.#table[number] = { name, file: node, readOnly: options.readOnly === true };
    return new CrashFile(this, number, name);
  }

  async list(directory: string): Promise<StorageEntry[]> {
    checkDirectoryName(directory, true);
    this.#checkRunning("list", directory);
    const node = directory === "" ? this.#root : this.#root.entries.get(directory);
    if (node?.kind === "file") throw errnoError("ENOTDIR", "list", directory);
    return [...(node?.entries ?? [])].map(([name, entry]) => ({ name, kind: entry.kind }));
  }

  async createDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    await this.#pauseToWrite("createDirectory", directory);
    const node = this.#root.entries.get(directory);
    if (node?.kind === "file") throw errnoError("EEXIST", "createDirectory", directory);
    if (node === undefined) this.#root.change(++this.#time, [directory, new SimDirectory()]);
  }

  async removeDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, false);
    await this.#pauseToWrite("removeDirectory", directory);
    if (this.#entries(directory, "removeDirectory", directory).entries.size > 0)
      throw errnoError("ENOTEMPTY", "removeDirectory", directory);
    this.#root.change(++this.#time, [directory, null]);
  }

  async replace(from: string, to: string): Promise<void> {
    const { directory, fromBase, toBase } = parseRename(from, to);
    await this.#pauseToWrite("replace", from);
    const entries = this.#entries(directory, "replace", from);
    const node = entries.entries.get(fromBase);
    if (node === undefined) throw errnoError("ENOENT", "replace", from);
    const replaced = entries.entries.get(toBase);
    if (replaced?.kind === "directory") throw errnoError("EISDIR", "replace", to);
    if (fromBase === toBase) return;
    if (replaced !== undefined) this.#giveBack(replaced, 0);
    entries.change(++this.#time, [fromBase, null], [toBase, node]);
  }

  async renameDirectory(from: string, to: string): Promise<void> {
    checkDirectoryName(from, false);
    checkDirectoryName(to, false);
    await this.#pauseToWrite("renameDirectory", from);
    const node = this.#entries(from, "renameDirectory", from);
    if (this.#root.entries.has(to)) throw errnoError("EEXIST", "renameDirectory", to);
    this.#root.change(++this.#time, [from, null], [to, node]);
  }

  async remove(name: string): Promise<void> {
    const { directory, base } = parseFileName(name);
    await this.#pauseToWrite("remove", name);
    const entries = this.#entries(directory, "remove", name);
    const node = entries.entries.get(base);
    if (node?.kind !== "file") throw errnoError(node === undefined ? "ENOENT" : "EISDIR", "remove", name);
    this.#giveBack(node, 0);
    entries.change(++this.#time, [base, null]);
  }

  async syncDirectory(directory: string): Promise<void> {
    checkDirectoryName(directory, true);
    const until = this.#time;
    await this.#pauseToWrite("syncDirectory", directory);
    this.#syncFailures.flush(this.#entries(directory, "syncDirectory", directory), until, "syncDirectory", `${directory}/`);
  }

  async lock(_holder: LockHolder, options: LockOptions): Promise<StorageLock> {
    options.signal?.throwIfAborted();
    this.#checkRunning("lock", "");
    const release = claimInProcess(this.#lockKey, "this simulated storage");
    let held = true;
    this.#releaseLock = () => {
      held = false;
      release();
    };
    return { stillHeld: () => held, release: async () => this.#releaseLock?.() };
  }

  async close(): Promise<void> {}

  // What files ask for

  /** The file behind a number, whoever opened it. */
  at(number: number, call: string, name: string, writes: boolean): SimFile {
    this.#checkRunning(call, name);
    const open = this.#table[number] ?? null;
    if (open === null || (writes && open.readOnly)) throw errnoError("EBADF", call, name);
    if (writes) this.#checkWritable(call, name);
    return open.file;
  }

  /** @internal */
  write(number: number, bytes: Uint8Array, position: number, name: string): number {
    const file = this.at(number, "writeAt", name, true);
    this.#listener?.("writeAt", name);
    file.writeAt(bytes, position, ++this.#time);
    file.modifiedAt = this.#now();
    return bytes.length;
  }

  /** @internal */
  truncate(number: number, byteLength: number, name: string): void {
    const file = this.at(number, "truncate", name, true);
    this.#listener?.("truncate", name);
    if (byteLength < file.byteLength) this.#giveBack(file, byteLength);
    file.truncate(byteLength, ++this.#time);
    file.modifiedAt = this.#now();
  }

  /** @internal The file is looked up when the flush runs, as a system does: after a close it is another's flush. */
  async sync(number: number, name: string): Promise<void> {
    this.at(number, "sync", name, false);
    const until = this.#time;
    await this.#pause("sync");
    const file = this.at(number, "sync", name, false);
    if (this.#syncFailures.isShutDown) throw errnoError("EIO", "sync", name);
    this.#listener?.("sync", name);
    this.#syncFailures.flush(file, until, "sync", name);
  }

  /** @internal */
  async release(number: number): Promise<void> {
    this.#table[number] = null;
    await this.#pause("close");
  }

  #imageBy(chooser: CrashChooser): SimDirectory {
    return crashImage(this.#root, chooser, this.#options.blockByteLength);
  }

  #next(root: SimDirectory): CrashStorage {
    return new CrashStorage(this.#options, { root, stale: this.#stale, time: this.#time });
  }

  #changeTimes(): number[] {
    const times = new Set<number>();
    const visit = (node: SimNode): void => {
      if (node.kind === "file") for (const size of node.history().sizes) times.add(size.time);
      else {
        for (const change of node.changes) times.add(change.time);
        for (const child of new Set([...node.entries.values(), ...node.durableEntries.values()])) visit(child);
      }
    };
    visit(this.#root);
    return [...times].sort((a, b) => a - b);
  }

  /** Remembers what stood from `byteLength` on: a disk hands such sectors out again unwiped. */
  #giveBack(file: SimFile, byteLength: number): void {
    const size = this.#sectorByteLength;
    const firstSector = Math.max(Math.ceil(byteLength / size), Math.ceil(file.byteLength / size) - STALE_SECTORS_MAX);
    for (let sector = firstSector; sector * size < file.byteLength; sector++) {
      const bytes = new Uint8Array(size);
      file.readAt(bytes, sector * size);
      if (this.#options.mayReturn?.(bytes) !== false) this.#stale.push(bytes);
    }
    if (this.#stale.length > STALE_SECTORS_MAX) this.#stale.splice(0, this.#stale.length - STALE_SECTORS_MAX);
  }

  #directory(directory: string): SimDirectory | null {
    const node = directory === "" ? this.#root : this.#root.entries.get(directory);
    return node?.kind === "directory" ? node : null;
  }

  #entries(directory: string, call: string, name: string): SimDirectory {
    const node = this.#directory(directory);
    if (node === null) throw errnoError(this.#root.entries.has(directory) ? "ENOTDIR" : "ENOENT", call, name);
    return node;
  }

  async #pauseToWrite(
    call: "syncDirectory" | "createDirectory" | "removeDirectory" | "replace" | "renameDirectory" | "remove",
    name: string,
  ): Promise<void> {
    this.#checkWritable(call, name);
    await this.#pause(call === "syncDirectory" ? call : "entry");
    this.#checkWritable(call, name);
    this.#listener?.(call, name);
  }

  async #pause(call: "sync" | "syncDirectory" | "open" | "close" | "entry"): Promise<void> {
    await this.#options.latency?.(call);
    if (call !== "close") this.#checkRunning(call, "");
  }

  #checkRunning(call: string, name: string): void {
    if (this.#halted) throw errnoError("ESHUTDOWN", call, name);
  }

  #checkWritable(call: string, name: string): void {
    this.#checkRunning(call, name);
    if (this.#syncFailures.isShutDown) throw errnoError("EIO", call, name);
  }

  #now(): number {
    return (this.#options.clock ?? systemClock).now();
  }
}
