/** An open file of the simulated disk: a number in its table of open files, and nothing else. */
import type { StorageFile } from "../api/storage-driver.ts";
import { errnoError } from "../storage/errno.ts";
import type { SimFile } from "./sim-file.ts";

/** What a number may be used for. Each call looks it up anew, as a system does: after a close it may be another file's. */
export interface FileTable {
  at(number: number, call: string, name: string, writes: boolean): SimFile;
  write(number: number, bytes: Uint8Array, position: number, name: string): number;
  truncate(number: number, byteLength: number, name: string): void;
  sync(number: number, name: string): Promise<void>;
  release(number: number): Promise<void>;
}

export class CrashFile implements StorageFile {
  readonly #disk: FileTable;
  readonly #number: number;
  readonly #name: string;
  #closing: Promise<void> | null = null;

  constructor(disk: FileTable, number: number, name: string) {
    this.#disk = disk;
    this.#number = number;
    this.#name = name;
  }

  readAt(into: Uint8Array, position: number): number {
    return this.#disk.at(this.#number, "readAt", this.#name, false).readAt(into, checked(position, "readAt", this.#name));
  }

  writeAt(bytes: Uint8Array, position: number): number {
    return this.#disk.write(this.#number, bytes, checked(position, "writeAt", this.#name), this.#name);
  }

  truncate(byteLength: number): void {
    this.#disk.truncate(this.#number, checked(byteLength, "truncate", this.#name), this.#name);
  }

  byteLength(): number {
    return this.#disk.at(this.#number, "byteLength", this.#name, false).byteLength;
  }

  modifiedAt(): number {
    return this.#disk.at(this.#number, "modifiedAt", this.#name, false).modifiedAt;
  }

  sync(): Promise<void> {
    return this.#disk.sync(this.#number, this.#name);
  }

  async readAhead(_position: number, _byteLength: number): Promise<void> {}

  close(): Promise<void> {
    this.#closing ??= this.#disk.release(this.#number);
    return this.#closing;
  }
}

function checked(position: number, call: string, name: string): number {
  if (!Number.isSafeInteger(position) || position < 0) throw errnoError("EINVAL", `${call} at ${position}`, name);
  return position;
}
