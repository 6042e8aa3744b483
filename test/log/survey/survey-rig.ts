/** What the tests of a survey share: a partition that was left, closed in order or not, and what a survey says of it. */
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { type PartitionSurvey, type PartitionToSurvey, surveyPartition } from "../../../src/log/survey/partition-survey.ts";
import { memory } from "../../../src/storage/memory.ts";
import { append, created, NOW_MS, type Rig, type RigOptions } from "../log-rig.ts";

export const STATE = "orders-0/odradek.state";
export const EPOCHS = "orders-0/leader-epoch-checkpoint";
export const METADATA = "orders-0/partition.metadata";

export interface LeftLog extends Rig {
  readonly storage: StorageDriver;
  /** The `.log` files by name, in order. */
  readonly logs: readonly string[];
  /** Bytes of each batch. */
  readonly batchByteLength: number;
}

/** Batches of one record each, all acknowledged; a segment holds five of them, and what is sealed is sealed. */
export async function left(batchCount: number, isClean: boolean, options: RigOptions = {}): Promise<LeftLog> {
  const storage = memory();
  const { log, ...made } = await created(storage, { ...options, config: { segmentBytes: 1000, indexIntervalBytes: 1, ...options.config } });
  for (let count = 0; count < batchCount; count += 1) await append(log, [{ value: "x".repeat(100), timestamp: NOW_MS + count }]);
  await log.flushed(batchCount);
  const batchByteLength = log.byteLength / batchCount;
  await log.sealUnsealed();
  await log.close(isClean);
  const names = (await storage.list("orders-0")).map(({ name }) => name);
  const logs = names.filter((name) => name.endsWith(".log")).sort();
  return { storage, ...made, logs: logs.map((name) => `orders-0/${name}`), batchByteLength };
}

/** As a broker's partition after a close in order, unless told otherwise. */
export function surveyed({ context, spec }: Rig, of: Partial<PartitionToSurvey> = {}): Promise<PartitionSurvey> {
  return surveyPartition(context, {
    topic: "orders",
    partition: 0,
    topicId: spec.topicId,
    directory: "orders-0",
    cleanShutdown: true,
    config: null,
    recoveryPoint: null,
    ...of,
  });
}

/** Writes into a file that is there. */
export async function change(storage: StorageDriver, name: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  file.writeAt(bytes, at);
  await file.close();
}

export async function byteLengthOf(storage: StorageDriver, name: string): Promise<number> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const byteLength = file.byteLength();
  await file.close();
  return byteLength;
}
