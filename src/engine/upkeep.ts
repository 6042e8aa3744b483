/** What is done so that a directory stays in order, and at which hours of its own. */
import { PRODUCER_ID_EXPIRATION_MS } from "../log/producers/producer-states.ts";
import { CLEANER_BACKOFF_MS, type Cleaner } from "./cleaner.ts";
import type { GroupService } from "./group-service.ts";
import type { House } from "./house.ts";
import { LOCK_CHECK_INTERVAL_MS } from "./lock-watch.ts";
import {
  CHECKPOINT_INTERVAL_MS,
  FIRST_RETENTION_MS,
  type MaintenanceTask,
  OFFSET_EXPIRY_INTERVAL_MS,
  PRODUCER_EXPIRY_INTERVAL_MS,
  RETENTION_INTERVAL_MS,
  TRANSACTION_SCAN_INTERVAL_MS,
} from "./maintenance.ts";
import type { TransactionService } from "./transaction-service.ts";

export interface MaintenanceReport {
  readonly segmentsDeleted: number;
  readonly bytesReclaimed: number;
}

export interface UpkeepParts {
  readonly house: House;
  readonly cleaner: Cleaner;
  readonly groups: GroupService;
  readonly transactions: TransactionService;
  readonly checkLock: () => void;
  readonly withFiles: <Result>(call: () => Promise<Result>) => Promise<Result>;
}

export function upkeepTasks({ house, cleaner, groups, transactions, checkLock, withFiles }: UpkeepParts): MaintenanceTask[] {
  const every = (name: string, firstMs: number, intervalMs: number, run: () => Promise<unknown>): MaintenanceTask => {
    return { name, firstMs, intervalMs, run };
  };
  return [
    every("lock", LOCK_CHECK_INTERVAL_MS, LOCK_CHECK_INTERVAL_MS, async () => checkLock()),
    every("retention", FIRST_RETENTION_MS, RETENTION_INTERVAL_MS, () => withFiles(() => retain(house))),
    every("compaction", CLEANER_BACKOFF_MS, CLEANER_BACKOFF_MS, () => cleaner.run()),
    every("checkpoint", CHECKPOINT_INTERVAL_MS, CHECKPOINT_INTERVAL_MS, () => house.checkpoints.write(house.topics.openLogs())),
    every("offset expiry", OFFSET_EXPIRY_INTERVAL_MS, OFFSET_EXPIRY_INTERVAL_MS, () => groups.expireOffsets()),
    every("producer expiry", PRODUCER_EXPIRY_INTERVAL_MS, PRODUCER_EXPIRY_INTERVAL_MS, async () => forgetProducers(house)),
    every("transactions", TRANSACTION_SCAN_INTERVAL_MS, TRANSACTION_SCAN_INTERVAL_MS, () => transactions.scan()),
  ];
}

/** Producers that have been silent for a day, in every partition. */
function forgetProducers(house: House): void {
  const nowMs = house.context.clock.now();
  for (const log of house.topics.openLogs()) log.producers.expire(nowMs, PRODUCER_ID_EXPIRATION_MS);
}

/** Deletes what retention has expired, in every topic that is ours. */
export async function retain(house: House, signal?: AbortSignal): Promise<MaintenanceReport> {
  let segmentsDeleted = 0;
  let bytesReclaimed = 0;
  if (house.context.readOnly) return { segmentsDeleted, bytesReclaimed };
  for (const log of house.topics.openLogs()) {
    signal?.throwIfAborted();
    if (log.spec.frozen) continue;
    const report = await log.applyRetention();
    segmentsDeleted += report.segmentsDeleted;
    bytesReclaimed += report.bytesReclaimed;
    // What another writer left is protected from now on; in parts, since all of it has to be read.
    await log.sealUnsealed();
  }
  return { segmentsDeleted, bytesReclaimed };
}
