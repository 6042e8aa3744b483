/** How a log is opened, alone and over a port: the types alone, so that the package's declarations end here and not at the engine's. */
import type { Odradek, OpenOptions } from "./api/odradek.ts";
import type { StorageDriver } from "./api/storage-driver.ts";
import type { MessagePortLike } from "./attached/message-port.ts";

export type { MessagePortLike } from "./attached/message-port.ts";

export interface Open {
  /**
   * Opens the data directory at `path`, making it if it is not there, and takes its lock. Rejects with a `StorageError`
   * (`DIRECTORY_IN_USE` names who holds it), a `CorruptionError` when one of the directory's own books cannot be
   * believed, or a `UsageError` for an option that is not legal. With `readOnly` nothing is made, and a path that is not there
   * is a `StorageError` `FILE_NOT_FOUND`. A damaged partition does not keep the others from opening.
   */
  (path: string | URL, options?: OpenOptions): Promise<Odradek>;
  /** Opens the log that a storage driver holds. */
  (options: OpenOptions & { readonly storage: StorageDriver }): Promise<Odradek>;
}

/** Lets go of whoever is attached; idempotent. What they have begun is finished, what only waits is given back to them. */
export type StopServing = () => Promise<void>;

/**
 * Lets the other end of `port` work with `log`, by `attachPort`. The answer ends it, as does the log's `close`; from
 * then on the other end's calls are rejected. Whoever holds the other end may do all that the face can, but for `backup`,
 * which names paths of this machine. Throws a `UsageError` for a log that `open` did not give, or that was closed.
 */
export type ServePort = (log: Odradek, port: MessagePortLike) => StopServing;

/**
 * The log that the other end of `port` serves: the same face, and to be closed like any. Rejects with a retriable `StorageError`
 * `NETWORK_EXCEPTION` when nobody answers there, as do calls once nobody does any more.
 */
export type AttachPort = (port: MessagePortLike, options?: Pick<OpenOptions, "onEvent" | "logger" | "wasm" | "signal">) => Promise<Odradek>;
