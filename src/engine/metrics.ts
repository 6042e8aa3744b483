/** What `metrics()` tells: counts since the log was opened, and sizes as they are now. */
import type { Cleaner } from "./cleaner.ts";
import type { FetchPath } from "./fetch-path.ts";
import type { GroupService } from "./group-service.ts";
import type { House } from "./house.ts";
import type { ProducePath } from "./produce-path.ts";
import type { QuotaService } from "./quota-service.ts";
import type { TransactionService } from "./transaction-service.ts";

export function collectMetrics(
  house: House,
  produce: ProducePath,
  fetch: FetchPath,
  groups: GroupService,
  transactions: TransactionService,
  quotas: QuotaService,
  cleaner: Cleaner,
): Readonly<Record<string, number>> {
  const logs = house.topics.openLogs();
  const metrics: Record<string, number> = {
    topics: house.topics.all().length,
    partitions: logs.length,
    partitionsFailed: logs.filter((log) => log.failure !== null).length + failedSlots(house),
    byteLength: logs.reduce((sum, log) => sum + log.byteLength, 0),
    groups: groups.count,
    produceBatches: produce.batches,
    produceRecords: produce.records,
    produceBytes: produce.bytes,
    fetches: fetch.fetches,
    fetchBytes: fetch.bytes,
    ...transactions.metrics(),
    ...quotas.metrics(),
    ...cleaner.metrics(),
  };
  for (const [type, count] of house.events.counts()) metrics[`events.${type}`] = count;
  return Object.freeze(metrics);
}

function failedSlots(house: House): number {
  return house.topics.all().reduce((sum, topic) => sum + topic.slots.filter((slot) => slot.state === "failed").length, 0);
}
