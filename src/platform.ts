/** What differs from runtime to runtime: where a path leads, who holds the lock, and how the loop is let breathe. */
import type { LockHolder, StorageDriver } from "./api/storage-driver.ts";
import type { Clock, Random } from "./base/clock.ts";
import type { NativeCodecs } from "./compression/compression.ts";
import type { DiagnosticsPublisher } from "./engine/events.ts";

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  /** Throws a `UsageError` where this runtime has no files. */
  readonly storageAt: (path: string | URL) => StorageDriver;
  readonly holder: () => LockHolder;
  readonly publish: DiagnosticsPublisher | undefined;
  /** gzip and zstd, as this runtime has them. */
  readonly codecs: NativeCodecs;
  /** The core as this runtime allows it to be loaded; undefined: from the bytes in the package. */
  readonly wasm: object | undefined;
}
