/** What a member asks its group for: topics by name, or all whose name a pattern matches. */
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";

export class Subscription {
  readonly #wanted: readonly string[] | RegExp;

  /** Throws a `UsageError` unless `topics` is an array of names or a RegExp. */
  constructor(topics: readonly string[] | RegExp) {
    if (!(topics instanceof RegExp) && !(Array.isArray(topics) && topics.every((topic) => typeof topic === "string"))) {
      throw new UsageError("INVALID_ARGUMENT", `subscribe: expected an array of topic names or a RegExp, found ${describeValue(topics)}`);
    }
    // A pattern with state (g, y) would match every other time.
    this.#wanted = topics instanceof RegExp ? new RegExp(topics.source, topics.flags.replace(/[gy]/gu, "")) : [...new Set(topics)];
  }

  /** Throws, naming the nearest, when a topic that is asked for by name is not there. */
  async check(broker: ConsumerBroker): Promise<void> {
    if (this.#wanted instanceof RegExp) return;
    for (const topic of this.#wanted) await broker.describeConfig(topic);
  }

  /** The topics there are now, by name, with their partition counts. Internal topics are read by name alone, as in Kafka. */
  async topics(broker: ConsumerBroker): Promise<Map<string, number>> {
    const pattern = this.#wanted instanceof RegExp ? this.#wanted : null;
    const metadata = await broker.metadata(pattern === null ? (this.#wanted as readonly string[]) : null);
    const found = new Map<string, number>();
    for (const { name, internal, partitionCount } of metadata) {
      if (pattern === null || (!internal && pattern.test(name))) found.set(name, partitionCount);
    }
    return found;
  }
}
