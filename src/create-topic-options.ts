/** The options of `createTopic`, apart: what makes the topic, and what configures it. */
import type { Options } from "./api/bytes.ts";
import type { TopicConfig, TopicDescription } from "./api/topic.ts";
import { UsageError } from "./base/errors.ts";
import { describeValue } from "./base/options.ts";
import { validateConfig } from "./topic/topic-config.ts";

export interface TopicOptions {
  readonly partitions: number | undefined;
  readonly ifNotExists: boolean;
  readonly topicId: string | undefined;
  readonly config: { readonly [P in keyof TopicConfig]?: TopicConfig[P] | undefined };
}

export function splitTopicOptions(
  options: Options<TopicConfig & { partitions: number; ifNotExists: boolean; topicId: string }>,
): TopicOptions {
  if (typeof options !== "object" || options === null) {
    throw new UsageError("INVALID_ARGUMENT", `createTopic(): expected an object of options, found ${describeValue(options)}`);
  }
  const { partitions, ifNotExists = false, topicId, ...config } = options;
  if (partitions !== undefined && typeof partitions !== "number") {
    throw new UsageError("INVALID_ARGUMENT", `createTopic(): partitions: expected a whole number, found ${describeValue(partitions)}`);
  }
  if (typeof ifNotExists !== "boolean") {
    throw new UsageError("INVALID_ARGUMENT", `createTopic(): ifNotExists: expected true or false, found ${describeValue(ifNotExists)}`);
  }
  return { partitions, ifNotExists, topicId, config };
}

/** With `ifNotExists`, settings that were asked for and that the existing topic does not have are named. */
export function checkSameSettings(existing: TopicDescription, asked: Omit<TopicOptions, "ifNotExists">): void {
  const differences: string[] = [];
  const compare = (name: string, has: unknown, wanted: unknown): void => {
    if (wanted !== undefined && wanted !== has) differences.push(`${name} is ${String(has)}, not ${String(wanted)}`);
  };
  const wantedConfig = validateConfig(asked.config);
  compare("partitions", existing.partitions.length, asked.partitions);
  compare("topicId", existing.topicId, asked.topicId);
  for (const [name, wanted] of Object.entries(wantedConfig)) compare(name, existing.config[name as keyof TopicConfig], wanted);
  if (differences.length > 0) {
    throw new UsageError("TOPIC_ALREADY_EXISTS", `topic "${existing.name}" exists with other settings: ${differences.join("; ")}`);
  }
}
