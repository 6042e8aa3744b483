/** Every setting of a topic in one table: Kafka's name, default, legal values, and what it does. Defaults: Kafka 4.x; minima: 3.9. */
import type { Options } from "../api/bytes.ts";
import type { TopicConfig } from "../api/topic.ts";
import { UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest-name.ts";
import { describeValue } from "../base/options.ts";

/** One row of the table, as docs/CONFIG.md shows it. */
export interface ConfigRow {
  readonly name: keyof TopicConfig;
  /** Kafka's dotted name; null for a setting that is ours alone. */
  readonly kafkaName: string | null;
  readonly type: "string" | "number" | "boolean";
  readonly defaultValue: string | number | boolean;
  /** Completes the sentence "expected …". */
  readonly legal: string;
  readonly meaning: string;
}

interface ConfigKey<T> {
  readonly kafkaName: string | null;
  readonly defaultValue: T;
  readonly legal: string;
  readonly meaning: string;
  /** The value as it is kept, or undefined when it is not legal. */
  readonly accept: (value: unknown) => T | undefined;
}

const INT32_MAX = 2 ** 31 - 1;
/** Kafka's 2^63-1, as the nearest number. */
const INT64_MAX = 2 ** 63;
const DAY_MS = 86_400_000;
/** More names than this no configuration has; such an object is not walked to its end. */
const NAMES_MAX = 256;

const TABLE: { readonly [P in keyof TopicConfig]: ConfigKey<TopicConfig[P]> } = {
  cleanupPolicy: choice("cleanup.policy", "delete", ["delete", "compact", "compact,delete"], {
    meaning: "What happens to old segments: deleted by age and size, compacted to the last value of each key, or both.",
  }),
  compressionType: choice("compression.type", "producer", ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"], {
    meaning: "How batches are stored; `producer` keeps what the producer chose.",
  }),
  durability: choice(null, "sync", ["sync", "os"], {
    meaning:
      "`sync`: every append joins the next flush, so an acknowledgement outlives loss of power. `os`: flushed by flushMessages, flushMs, and every few mebibytes behind the writer, which nobody waits for.",
  }),
  retentionMs: long("retention.ms", 7 * DAY_MS, 0, {
    minusOneIsInfinity: true,
    meaning: "How long records are kept: a segment whose last record is older is deleted.",
  }),
  retentionBytes: long("retention.bytes", Number.POSITIVE_INFINITY, 0, {
    minusOneIsInfinity: true,
    meaning: "How many bytes a partition keeps at least when old segments are deleted for their size.",
  }),
  deleteRetentionMs: long("delete.retention.ms", DAY_MS, 0, {
    meaning: "How long compaction keeps a tombstone after it first met it, for readers that are behind.",
  }),
  segmentBytes: int32("segment.bytes", 1_073_741_824, 14, {
    meaning: "How large a segment grows before the next one begins. A larger batch is refused.",
  }),
  segmentMs: long("segment.ms", 7 * DAY_MS, 1, {
    meaning: "How much record time a segment spans before an append begins the next one.",
  }),
  segmentIndexBytes: int32("segment.index.bytes", 10_485_760, 4, {
    meaning: "How large a segment's index may grow; a full index begins the next segment.",
  }),
  indexIntervalBytes: int32("index.interval.bytes", 4096, 0, {
    meaning: "How many bytes of log lie between two entries of the index.",
  }),
  maxMessageBytes: int32("max.message.bytes", 1_048_588, 0, {
    meaning: "How large a batch may be, as stored.",
  }),
  messageTimestampType: choice("message.timestamp.type", "CreateTime", ["CreateTime", "LogAppendTime"], {
    meaning: "Whether a record's time is what its producer says or when it was appended.",
  }),
  minCleanableDirtyRatio: {
    kafkaName: "min.cleanable.dirty.ratio",
    defaultValue: 0.5,
    legal: "a number from 0 to 1",
    meaning: "How much of a compacted partition must be new before it is compacted again.",
    accept: (value) => (typeof value === "number" && value >= 0 && value <= 1 ? value : undefined),
  },
  minCompactionLagMs: long("min.compaction.lag.ms", 0, 0, {
    meaning: "How long a record is safe from compaction.",
  }),
  maxCompactionLagMs: long("max.compaction.lag.ms", Number.POSITIVE_INFINITY, 1, {
    meaning: "How long a record may wait for compaction, whatever the dirty ratio.",
  }),
  flushMessages: long("flush.messages", Number.POSITIVE_INFINITY, 1, {
    meaning: "With durability `os`: after how many records a flush is made.",
  }),
  flushMs: long("flush.ms", Number.POSITIVE_INFINITY, 0, {
    meaning: "With durability `os`: after how long a flush is made.",
  }),
  preallocate: {
    kafkaName: "preallocate",
    defaultValue: false,
    legal: "true or false",
    meaning: "Whether a new segment's file is made in its full size.",
    accept: (value) => (typeof value === "boolean" ? value : undefined),
  },
};

/** In the order of the table. */
export const CONFIG_NAMES: readonly (keyof TopicConfig)[] = Object.keys(TABLE) as (keyof TopicConfig)[];

/**
 * The settings given, checked, in an object without prototype: `undefined` counts as left out. Kafka's -1 (of the two
 * retentions) and 2^63-1 become `Infinity`. Throws a `UsageError`: `UNKNOWN_CONFIG` for a name that does not exist, naming
 * the nearest, `INVALID_CONFIG` for a value that is not legal.
 */
export function validateConfig(given: Options<TopicConfig> | undefined): Partial<TopicConfig> {
  const checked = Object.create(null) as Record<string, unknown>;
  if (given === undefined) return checked as Partial<TopicConfig>;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new UsageError("INVALID_CONFIG", `topic configuration: expected an object, found ${describeValue(given)}`);
  }
  const settings = ownSettings(given);
  const names = Object.keys(settings);
  if (names.length > NAMES_MAX) {
    throw new UsageError("INVALID_CONFIG", `topic configuration: expected at most ${NAMES_MAX} settings, found ${names.length}`);
  }
  for (const name of names) {
    if (!isConfigName(name)) throw unknownConfig(name);
    const value = settings[name];
    if (value === undefined) continue;
    const accepted = TABLE[name].accept(value);
    if (accepted === undefined) {
      throw new UsageError("INVALID_CONFIG", `topic configuration: ${name}: expected ${TABLE[name].legal}, found ${describeValue(value)}`);
    }
    checked[name] = accepted;
  }
  refuseConflict(checked as Partial<TopicConfig>);
  return checked as Partial<TopicConfig>;
}

/** The whole configuration: the topic's own settings, else the log's defaults, else Kafka's. Both must have passed `validateConfig`. */
export function resolveConfig(
  overrides: Readonly<Partial<TopicConfig>>,
  topicDefaults: Readonly<Partial<TopicConfig>> = {},
): Readonly<TopicConfig> {
  const config: Record<string, unknown> = {};
  for (const name of CONFIG_NAMES) config[name] = own(overrides, name) ?? own(topicDefaults, name) ?? TABLE[name].defaultValue;
  return Object.freeze(config) as unknown as Readonly<TopicConfig>;
}

/** The table as data, for docs/CONFIG.md. */
export function configTable(): ConfigRow[] {
  return CONFIG_NAMES.map((name) => {
    const { kafkaName, defaultValue, legal, meaning } = TABLE[name];
    return { name, kafkaName, type: typeof defaultValue as ConfigRow["type"], defaultValue, legal, meaning };
  });
}

/** Read once, whatever getters or proxies stand behind it. */
function ownSettings(given: object): Readonly<Record<string, unknown>> {
  const settings = Object.create(null) as Record<string, unknown>;
  try {
    for (const name of Object.keys(given)) settings[name] = (given as Record<string, unknown>)[name];
  } catch (cause) {
    throw new UsageError("INVALID_CONFIG", "topic configuration: expected an object whose settings can be read, found one that throws", {
      cause,
    });
  }
  return settings;
}

export function isConfigName(name: string): name is keyof TopicConfig {
  return Object.hasOwn(TABLE, name);
}

/** Kafka refuses the same pair. */
function refuseConflict({ minCompactionLagMs, maxCompactionLagMs }: Partial<TopicConfig>): void {
  if (minCompactionLagMs === undefined || maxCompactionLagMs === undefined || minCompactionLagMs <= maxCompactionLagMs) return;
  throw new UsageError(
    "INVALID_CONFIG",
    `topic configuration: expected minCompactionLagMs to be at most maxCompactionLagMs, found ${minCompactionLagMs} and ${maxCompactionLagMs}`,
  );
}

function unknownConfig(name: string): UsageError {
  // Kafka's dotted name is near as well: dots and case count for nothing.
  const near = nearestName(name, CONFIG_NAMES);
  const hint = near === null ? `the settings are ${CONFIG_NAMES.join(", ")}` : `did you mean ${near}?`;
  return new UsageError("UNKNOWN_CONFIG", `topic configuration: there is no setting ${describeValue(name)}; ${hint}`);
}

function own<P extends keyof TopicConfig>(config: Readonly<Partial<TopicConfig>>, name: P): TopicConfig[P] | undefined {
  return Object.hasOwn(config, name) ? config[name] : undefined;
}

function choice<T extends string>(
  kafkaName: string | null,
  defaultValue: NoInfer<T>,
  choices: readonly T[],
  text: { readonly meaning: string },
): ConfigKey<T> {
  return {
    kafkaName,
    defaultValue,
    legal: `one of ${choices.map((literal) => JSON.stringify(literal)).join(", ")}`,
    meaning: text.meaning,
    accept: (value) => choices.find((literal) => literal === value),
  };
}

/** Kafka's int: no `Infinity`. */
function int32(kafkaName: string, defaultValue: number, least: number, text: { readonly meaning: string }): ConfigKey<number> {
  return {
    kafkaName,
    defaultValue,
    legal: `a whole number from ${least} to ${INT32_MAX}`,
    meaning: text.meaning,
    accept: (value) =>
      Number.isInteger(value) && (value as number) >= least && (value as number) <= INT32_MAX ? withoutSign(value as number) : undefined,
  };
}

/** Kafka's long: what is not exact in a number is refused, save its largest, which is `Infinity`. */
function long(
  kafkaName: string,
  defaultValue: number,
  least: number,
  text: { readonly meaning: string; readonly minusOneIsInfinity?: boolean },
): ConfigKey<number> {
  return {
    kafkaName,
    defaultValue,
    legal: `a whole number from ${least} to 2^53-1, or Infinity`,
    meaning: text.meaning,
    accept: (value) => {
      if (value === Number.POSITIVE_INFINITY || value === INT64_MAX) return Number.POSITIVE_INFINITY;
      if (value === -1 && text.minusOneIsInfinity === true) return Number.POSITIVE_INFINITY;
      return Number.isSafeInteger(value) && (value as number) >= least ? withoutSign(value as number) : undefined;
    },
  };
}

/** -0 is 0. */
function withoutSign(value: number): number {
  return value + 0;
}
