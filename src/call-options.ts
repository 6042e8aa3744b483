/** What the calls of the face that pass nothing on to a producer or consumer are given: each checked against a table, and named when it is not legal. */
import type { Options, TopicPartition } from "./api/bytes.ts";
import type { Deserializer } from "./api/serde.ts";
import type { TopicConfig } from "./api/topic.ts";
import { UsageError } from "./base/errors.ts";
import { booleanOption, checkOptions, choiceOption, describeValue, integerOption, objectOption, signalOption } from "./base/options.ts";
import { PARTITION_COUNT_MAX } from "./topic/catalog-file.ts";

const DELETE_TOPIC = { ifExists: booleanOption };
const MAINTAIN = { signal: signalOption };
const ADOPT = {
  partitions: integerOption(1, PARTITION_COUNT_MAX),
  cleanupPolicy: choiceOption("delete", "compact", "compact,delete"),
};
const DESERIALIZER = objectOption<Deserializer<unknown>>("a serde, or an object with deserialize", "deserialize");
const READ = { key: DESERIALIZER, value: DESERIALIZER };

export function checkDeleteTopic(given: unknown): Options<{ ifExists: boolean }> {
  return checkOptions<{ ifExists: boolean }>(given, DELETE_TOPIC, "deleteTopic()");
}

export function checkMaintain(given: unknown): Options<{ signal: AbortSignal }> {
  return checkOptions<{ signal: AbortSignal }>(given, MAINTAIN, "maintain()");
}

interface ReadOptions {
  readonly key: Deserializer<unknown>;
  readonly value: Deserializer<unknown>;
}

/**
 * The options of `read`, which takes a microsecond, and is called again and again with the same two serdes in an object made anew: what was
 * found legal last is known by these, and not looked at as a stranger's is, which takes a quarter as long.
 */
export class ReadCheck {
  #last: Options<ReadOptions> = {};

  check(given: unknown): void {
    if (given !== undefined && !this.#isAsBefore(given)) this.#last = checkOptions<ReadOptions>(given, READ, "read()");
  }

  /** So many names as it has serdes, so that there is no other name among them. */
  #isAsBefore(given: unknown): boolean {
    try {
      const { key, value } = given as Options<ReadOptions>;
      if (key !== this.#last.key || value !== this.#last.value) return false;
      const count = (key === undefined ? 0 : 1) + (value === undefined ? 0 : 1);
      return count > 0 && Object.keys(given as object).length === count;
    } catch {
      // Nothing that has such fields; the check says what it is.
      return false;
    }
  }
}

/** Both must be named: what another writer made of the topic cannot be guessed. */
export function checkAdopt(given: unknown): { readonly partitions: number; readonly cleanupPolicy: TopicConfig["cleanupPolicy"] } {
  const { partitions, cleanupPolicy } = checkOptions<{ partitions: number; cleanupPolicy: TopicConfig["cleanupPolicy"] }>(
    given,
    ADOPT,
    "adoptTopic()",
  );
  if (partitions === undefined || cleanupPolicy === undefined) {
    throw new UsageError("INVALID_ARGUMENT", "adoptTopic(): expected both partitions and cleanupPolicy, found one missing");
  }
  return { partitions, cleanupPolicy };
}

/** Whether the topic has the partition is found out later; here, whether it can be one. */
export function checkTopicPartition(given: unknown, call: string): TopicPartition {
  const { topic, partition } = (typeof given === "object" && given !== null ? given : {}) as Partial<TopicPartition>;
  if (typeof topic === "string" && Number.isSafeInteger(partition) && (partition as number) >= 0)
    return { topic, partition: partition as number };
  const found =
    typeof given === "object" && given !== null
      ? `topic ${describeValue(topic)}, partition ${describeValue(partition)}`
      : describeValue(given);
  throw new UsageError("INVALID_ARGUMENT", `${call}: expected { topic, partition }, found ${found}`);
}

export function checkOffset(given: unknown, call: string): number {
  if (Number.isSafeInteger(given) && (given as number) >= 0) return (given as number) + 0;
  throw new UsageError("INVALID_ARGUMENT", `${call}: expected an offset from 0 to 2^53-1, found ${describeValue(given)}`);
}

/** Kafka's limit of a string. */
const GROUP_ID_LENGTH_MAX = 32_767;

export function checkGroupId(given: unknown, call: string): string {
  if (typeof given === "string" && given !== "" && given.length <= GROUP_ID_LENGTH_MAX) return given;
  throw new UsageError(
    "INVALID_GROUP_ID",
    `${call}: expected a group id of 1 to ${GROUP_ID_LENGTH_MAX} characters, found ${describeValue(given)}`,
  );
}
