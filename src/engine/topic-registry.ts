/** The topics that are open, by name. Lookups that fail say what was meant, as far as can be guessed. */
import type { TopicPartition } from "../api/bytes.ts";
import { UsageError } from "../base/errors.ts";
import { nearestName } from "../base/nearest-name.ts";
import { describeValue } from "../base/options.ts";
import type { PartitionLog } from "../log/partition-log.ts";
import type { OpenTopic } from "./open-topic.ts";

export class TopicRegistry {
  readonly #topics: Map<string, OpenTopic> = new Map();

  find(topic: string): OpenTopic | undefined {
    return this.#topics.get(topic);
  }

  require(topic: string): OpenTopic {
    const found = this.#topics.get(topic);
    if (found === undefined) throw unknownTopic(topic, this.#topics.keys());
    return found;
  }

  /** Throws `UNKNOWN_TOPIC_OR_PARTITION`, or what kept the partition from opening; null for a partition without a record yet. */
  log(at: TopicPartition): PartitionLog | null {
    return this.require(at.topic).log(at.partition);
  }

  put(topic: OpenTopic): void {
    this.#topics.set(topic.name, topic);
  }

  remove(topic: string): void {
    this.#topics.delete(topic);
  }

  all(): OpenTopic[] {
    return [...this.#topics.values()];
  }

  names(): string[] {
    return [...this.#topics.keys()].sort();
  }

  openLogs(): PartitionLog[] {
    return this.all().flatMap((topic) => topic.openLogs());
  }
}

function unknownTopic(topic: string, names: Iterable<string>): UsageError {
  // Whatever was given for a name: no code of its own is called.
  const near = typeof topic === "string" ? nearestName(topic, [...names]) : null;
  const hint = near === null ? "." : `; did you mean "${near}"?`;
  return new UsageError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `there is no topic ${describeValue(topic)}${hint} Topics are made by createTopic, never by use`,
  );
}
