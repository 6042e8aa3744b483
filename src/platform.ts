/** What differs from runtime to runtime: where a path leads, who holds the lock, and how the loop is let breathe. */

import type { Odradek } from "./api/odradek.ts";
import type { LockHolder, StorageDriver } from "./api/storage-driver.ts";
import type { Clock, Random } from "./base/clock.ts";
import type { NativeCodecs } from "./compression/compression.ts";
import type { Engine } from "./engine/engine.ts";
import type { DiagnosticsPublisher } from "./engine/events.ts";
import type { CheckedOpenOptions } from "./open-options.ts";

/** How other processes come to a log in files. */
export interface Sharing {
  /** `open(path, { attach: true })`. `start`: starts an engine on the directory, or rejects with what keeps it from that. */
  attach(platform: Platform, path: string | URL, options: CheckedOpenOptions): Promise<Odradek>;
  /** Lets others attach to this engine, from a moment on; answers how to end that. Never throws: what goes wrong is an event. */
  serve(platform: Platform, path: string | URL, engine: Engine): () => Promise<void>;
  /** Whether a directory lies below another one, by their names. */
  isWithin(inner: string | URL, outer: string | URL): boolean;
}

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  /** Throws a `UsageError` where this runtime has no files. */
  readonly storageAt: (path: string | URL) => StorageDriver;
  /** The path in full where nothing is there, null where something is; undefined: no path of this runtime is a place on disk. */
  readonly nothingAt?: ((path: string | URL) => Promise<string | null>) | undefined;
  readonly holder: () => LockHolder;
  /** undefined: one process alone has a log here. */
  readonly sharing?: Sharing | undefined;
  readonly publish: DiagnosticsPublisher | undefined;
  /** gzip and zstd, as this runtime has them. */
  readonly codecs: NativeCodecs;
  /** The core as this runtime allows it to be loaded; undefined: from the bytes in the package. */
  readonly wasm: object | undefined;
}
