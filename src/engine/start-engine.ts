/** Starting an engine: lock, core, books, logs, groups, in an order that a crash at any step leaves whole. */

import type { Logger, OdradekEvent } from "../api/odradek.ts";
import type { LockHolder, StorageDriver, StorageLock } from "../api/storage-driver.ts";
import type { TopicConfig } from "../api/topic.ts";
import type { Clock, Random } from "../base/clock.ts";
import type { NativeCodecs } from "../compression/compression.ts";
import { createCompression } from "../compression/create-compression.ts";
import type { Core } from "../core/core.ts";
import { loadCore } from "../core/load-core.ts";
import { cleanShutdownContents, readCleanShutdown, removeCleanShutdown } from "../log/books/clean-shutdown.ts";
import type { LogContext } from "../log/context/log-context.ts";
import { fenced } from "../storage/fenced.ts";
import type { Gate } from "../storage/gate.ts";
import { Catalog } from "../topic/catalog.ts";
import { Checkpoints } from "./checkpoints.ts";
import { finishDeletions } from "./deletion.ts";
import { Engine } from "./engine.ts";
import { type DiagnosticsPublisher, Events } from "./events.ts";
import { GroupService } from "./group-service.ts";
import type { House } from "./house.ts";
import { loadTopics } from "./topic-loader.ts";
import { TopicRegistry } from "./topic-registry.ts";
import { TransactionService } from "./transaction-service.ts";

export interface EngineWiring {
  readonly clock: Clock;
  readonly random: Random;
  readonly publish: DiagnosticsPublisher | undefined;
  readonly holder: LockHolder;
  readonly codecs: NativeCodecs;
  /** One that is there already, for those who start thousands of engines one after another; a new one unless given. */
  readonly core?: Core | undefined;
  /** The door that flushes go through; the process's own unless given. A simulation has its own: what else flushes must not change its order. */
  readonly syncGate?: Gate | undefined;
  /** Those that the rest of this log is heard by already; the options' listeners are then its own. */
  readonly events?: Events | undefined;
}

export interface EngineOptions {
  readonly readOnly: boolean;
  readonly lock: "auto" | "socket";
  readonly allowNetworkFileSystem: boolean;
  readonly lockRetryMs?: number | undefined;
  readonly offsetsFlushMs: number;
  readonly maxUnflushedBytes: number;
  readonly logCleanerDedupeBufferSize?: number | undefined;
  readonly logCleanerIoMaxBytesPerSecond?: number | undefined;
  readonly topicDefaults: Readonly<Partial<TopicConfig>>;
  readonly wasm?: object | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly logger?: Logger | undefined;
  readonly onEvent?: ((event: OdradekEvent) => void) | undefined;
}

export async function startEngine(wiring: EngineWiring, driver: StorageDriver, options: EngineOptions): Promise<Engine> {
  const events = wiring.events ?? new Events(wiring.clock, { onEvent: options.onEvent, logger: options.logger, publish: wiring.publish });
  const core = wiring.core ?? (await loadCore({ wasm: options.wasm }));
  const storage = fenced(driver, { readOnly: options.readOnly, syncGate: wiring.syncGate });
  const topics = new TopicRegistry();
  let lock: StorageLock | null = null;
  try {
    // Through the fence, so that a path that cannot be a directory is refused by name.
    lock = options.readOnly ? null : await takeLock(storage, wiring.holder, options);
    const context: LogContext = {
      storage,
      core,
      compression: createCompression(core, wiring.codecs),
      clock: wiring.clock,
      random: wiring.random,
      emit: events.emit,
      maxUnflushedBytes: options.maxUnflushedBytes,
      readOnly: options.readOnly,
      isFollowing: options.readOnly && storage.sharedReaders,
    };
    const cleanShutdown = await readCleanShutdown(storage);
    const markerContents = await cleanShutdownContents(storage);
    // Before anything is changed: a catalogue that cannot be believed leaves the directory as it was found.
    const catalog = await Catalog.load(storage, core);
    // Gone, durably, before the first write: whatever happens from here on, the next open looks for itself.
    if (cleanShutdown && !options.readOnly) await removeCleanShutdown(storage);
    // After a death of the process the books may stand in the cache alone: what is built on them must not outlive them.
    if (!cleanShutdown && !options.readOnly) await storage.syncDirectory("");
    const house: House = {
      context,
      catalog,
      topics,
      checkpoints: await Checkpoints.load(storage, events, options.readOnly),
      events,
      syncGate: wiring.syncGate,
      defaults: options.topicDefaults,
      cleanShutdown,
      cleanShutdownContents: markerContents,
    };
    await loadTopics(house);
    options.signal?.throwIfAborted();
    const groups = await GroupService.start(house, { offsetsFlushMs: options.offsetsFlushMs });
    // Committed offsets before they are held against the logs' ends (C5): a transaction that is completed may commit some.
    const transactions = await TransactionService.start(house, groups, { flushMs: options.offsetsFlushMs });
    await groups.settle();
    if (!options.readOnly) await finishDeletions(house, (topic) => groups.topicDeleted(topic));
    return new Engine(house, groups, transactions, lock, options);
  } catch (error) {
    // Closed without a promise: the next open recovers.
    await Promise.allSettled(topics.openLogs().map((log) => log.close(false)));
    await lock?.release();
    await storage.close();
    throw error;
  }
}

async function takeLock(driver: StorageDriver, holder: LockHolder, options: EngineOptions): Promise<StorageLock> {
  const { lock: mechanism, allowNetworkFileSystem, lockRetryMs: retryMs, signal } = options;
  return driver.lock(holder, { mechanism, allowNetworkFileSystem, signal, ...(retryMs === undefined ? {} : { retryMs }) });
}
