/** One partition's log on a disk, opened as cheaply as can be: the core and what goes with it are shared by all. */
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import type { TopicConfig } from "../../../src/api/topic.ts";
import { createCompression } from "../../../src/compression/create-compression.ts";
import { nodeCodecs } from "../../../src/compression/node-codecs.ts";
import type { LogContext } from "../../../src/log/context/log-context.ts";
import { PartitionLog, type PartitionSpec } from "../../../src/log/partition-log.ts";
import { fenced } from "../../../src/storage/fenced.ts";
import { Gate } from "../../../src/storage/gate.ts";
import type { ManualClock } from "../../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { core, TOPIC_CONFIG } from "../../log/log-rig.ts";

export const DIRECTORY = "orders-0";
/** A door of its own: trials would not repeat if what one left behind held up another. */
const SYNCS_IN_FLIGHT = 3;
const compression = createCompression(core, nodeCodecs());
/** What a crash alone never brings about (C9): sidecars and derived files that do not agree with what they were made from. */
const ALARM = /^(seal\.ignored|txnindex\.|snapshot\.|swap\.ignored)/;

export interface LogSettings {
  readonly config: Partial<TopicConfig>;
  readonly maxUnflushedBytes: number;
  readonly recoveryPointIntervalBytes?: number;
  /** Of the disk that it lives on, where the settings say it. */
  readonly aheadByteLength?: number;
}

export interface Bed {
  readonly context: LogContext;
  readonly spec: PartitionSpec;
  /** What was said of damage. */
  readonly alarms: string[];
}

/** Opens the log to read alone, holds it against what was promised, and closes. Rejects with what is wrong. */
export async function glanceAt(
  driver: StorageDriver,
  settings: LogSettings,
  clock: ManualClock,
  check: (log: PartitionLog) => Promise<unknown>,
): Promise<void> {
  const { context, spec, alarms } = bedOf(driver, settings, clock, { readOnly: true });
  const log = await PartitionLog.open(context, spec).catch((error: unknown) => {
    throw new Error(`C9: a crash was taken for damage: ${String(error)}`);
  });
  await check(log);
  await log.close(false);
  if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${alarms.join("; ")}`);
}

export function bedOf(
  driver: StorageDriver,
  { config, maxUnflushedBytes, recoveryPointIntervalBytes }: LogSettings,
  clock: ManualClock,
  more: { readonly cleanShutdown?: boolean; readonly readOnly?: boolean } = {},
): Bed {
  const alarms: string[] = [];
  const whole: TopicConfig = { ...TOPIC_CONFIG, ...config };
  const context: LogContext = {
    storage: fenced(driver, { syncGate: new Gate(SYNCS_IN_FLIGHT) }),
    core,
    compression,
    clock,
    random: new SeededRandom(1),
    emit: (type, fields) => {
      if (ALARM.test(type)) alarms.push(`${type} ${JSON.stringify(fields)}`);
    },
    maxUnflushedBytes,
    ...(recoveryPointIntervalBytes === undefined ? {} : { recoveryPointIntervalBytes }),
    readOnly: more.readOnly ?? false,
  };
  const spec: PartitionSpec = {
    topic: "orders",
    partition: 0,
    topicId: "AAAAAAAAAAAAAAAAAAAAAQ",
    directory: DIRECTORY,
    config: () => whole,
    frozen: false,
    checkpoint: { recoveryPoint: null, logStartOffset: null, firstDirtyOffset: null },
    cleanShutdown: more.cleanShutdown ?? false,
  };
  return { context, spec, alarms };
}
