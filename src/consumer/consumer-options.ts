/** A consumer's options: checked, and completed with their defaults. */
import type { Options } from "../api/bytes.ts";
import type { Assignor, ConsumerOptions } from "../api/consumer.ts";
import type { Deserializer } from "../api/serde.ts";
import { UsageError } from "../base/errors.ts";
import {
  booleanOption,
  checkOptions,
  choiceOption,
  customOption,
  integerOption,
  type OptionTable,
  objectOption,
  signalOption,
  stringOption,
} from "../base/options.ts";

const WHERE = "log.consumer()";
const ASSIGNORS: readonly unknown[] = ["range", "roundrobin", "sticky", "cooperative-sticky"];
/** 2^31-1 ms: what Kafka's requests can say. */
const MS_MAX = 2 ** 31 - 1;

const TABLE: OptionTable<ConsumerOptions<unknown, unknown>> = {
  groupId: stringOption(1),
  key: objectOption("a deserializer, an object with deserialize(bytes, context)", "deserialize"),
  value: objectOption("a deserializer, an object with deserialize(bytes, context)", "deserialize"),
  autoOffsetReset: choiceOption("earliest", "latest", "none"),
  enableAutoCommit: booleanOption,
  autoCommitIntervalMs: integerOption(1, MS_MAX),
  isolationLevel: choiceOption("readCommitted", "readUncommitted"),
  maxPollRecords: integerOption(1),
  maxPollIntervalMs: integerOption(1, MS_MAX),
  fetchMaxBytes: integerOption(1, MS_MAX),
  sessionTimeoutMs: integerOption(1, MS_MAX),
  clientId: stringOption(),
  signal: signalOption,
  partitionAssignmentStrategy: customOption('"range", "roundrobin", "sticky", "cooperative-sticky" or an array of these', isStrategy),
  onDeserializeError: customOption(
    '"stop", "skip" or a function',
    (value) => value === "stop" || value === "skip" || typeof value === "function",
  ),
};

function isStrategy(value: unknown): boolean {
  if (!Array.isArray(value)) return ASSIGNORS.includes(value);
  return value.length > 0 && value.length === new Set(value).size && value.every((each) => ASSIGNORS.includes(each));
}

/** Every option with a value; those that may be absent are null. */
export interface ConsumerSettings<K, V> {
  readonly groupId: string | null;
  readonly key: Deserializer<K>;
  readonly value: Deserializer<V>;
  readonly autoOffsetReset: "earliest" | "latest" | "none";
  readonly enableAutoCommit: boolean;
  readonly autoCommitIntervalMs: number;
  readonly isolationLevel: "readCommitted" | "readUncommitted";
  readonly maxPollRecords: number;
  readonly maxPollIntervalMs: number;
  readonly fetchMaxBytes: number;
  readonly sessionTimeoutMs: number;
  readonly clientId: string;
  readonly signal: AbortSignal | null;
  readonly assignors: readonly Assignor[];
  readonly onDeserializeError: ConsumerOptions<K, V>["onDeserializeError"];
}

/** Throws a `UsageError`: UNKNOWN_CONFIG with the nearest name, or INVALID_ARGUMENT. */
export function consumerSettings<K, V>(
  given: Options<ConsumerOptions<K, V>> | undefined,
  defaults: { readonly key: Deserializer<K>; readonly value: Deserializer<V> },
): ConsumerSettings<K, V> {
  const options = checkOptions<ConsumerOptions<K, V>>(given, TABLE as OptionTable<ConsumerOptions<K, V>>, WHERE);
  const groupId = options.groupId ?? null;
  if (groupId === null && options.enableAutoCommit === true) {
    throw new UsageError(
      "NO_GROUP",
      `${WHERE}: enableAutoCommit: expected a groupId beside it, as there is nothing to commit to without one`,
    );
  }
  const strategy = options.partitionAssignmentStrategy ?? ["range", "cooperative-sticky"];
  return {
    groupId,
    key: options.key ?? defaults.key,
    value: options.value ?? defaults.value,
    autoOffsetReset: options.autoOffsetReset ?? "earliest",
    enableAutoCommit: options.enableAutoCommit ?? groupId !== null,
    autoCommitIntervalMs: options.autoCommitIntervalMs ?? 5000,
    isolationLevel: options.isolationLevel ?? "readCommitted",
    maxPollRecords: options.maxPollRecords ?? 500,
    maxPollIntervalMs: options.maxPollIntervalMs ?? 300_000,
    fetchMaxBytes: options.fetchMaxBytes ?? 1 << 20,
    sessionTimeoutMs: options.sessionTimeoutMs ?? 45_000,
    clientId: options.clientId ?? "consumer",
    signal: options.signal ?? null,
    assignors: typeof strategy === "string" ? [strategy] : [...strategy],
    onDeserializeError: options.onDeserializeError ?? "stop",
  };
}
