/** A file to be dumped, and what its name and place say of it. */
import type { StorageFile } from "../api/storage-driver.ts";
import type { Compression } from "../compression/compression.ts";
import type { Core } from "../core/core.ts";

export interface DumpSource {
  readonly core: Core;
  readonly compression: Compression;
  readonly file: StorageFile;
  /** Without its directory. */
  readonly name: string;
  /** From the directory's name; "" where it is no partition's. */
  readonly topic: string;
  readonly partition: number;
  /** 0 for files that are no segment's. */
  readonly baseOffset: number;
}

/** One line: its type, and the fields that this type has. */
export interface Dumped {
  readonly type: string;
  readonly [field: string]: unknown;
}
