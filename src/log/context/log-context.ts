/** What every log of one data directory shares: storage, core, clock, and the ways to be heard. */

import type { TopicPartition } from "../../api/bytes.ts";
import type { StorageDriver } from "../../api/storage-driver.ts";
import type { Clock, Random } from "../../base/clock.ts";
import type { Compression } from "../../compression/compression.ts";
import type { Core } from "../../core/core.ts";

export interface LogContext {
  /** Fenced: short writes are looped, errors typed, handles drained before they close, flushes in flight bounded. */
  readonly storage: StorageDriver;
  readonly core: Core;
  readonly compression: Compression;
  readonly clock: Clock;
  readonly random: Random;
  /** For `onEvent`, diagnostics and the logger. Never throws. */
  readonly emit: (type: string, fields: { readonly partition?: TopicPartition; readonly [field: string]: unknown }) => void;
  /** C7: how many bytes may be written past a sync partition's durable end. */
  readonly maxUnflushedBytes: number;
  /** C7: after how many bytes the recovery point moves within a segment; 64 MiB unless given. */
  readonly recoveryPointIntervalBytes?: number;
  /** How much each partition keeps in memory of the transaction indexes of sealed segments; 4 MiB unless given. */
  readonly keptTransactionBytesMax?: number;
  readonly readOnly: boolean;
  /** Read only, beside a process that may write: what is not known to be durable is not shown (C4). */
  readonly isFollowing?: boolean;
}
