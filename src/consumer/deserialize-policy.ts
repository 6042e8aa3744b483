/** What is done about a record whose key or value does not deserialize: `onDeserializeError`. */
import type { ConsumerOptions, ConsumerRecord } from "../api/consumer.ts";
import { type SerdeError, UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { Emit } from "./positions.ts";

type OnDeserializeError = ConsumerOptions<unknown, unknown>["onDeserializeError"];

export class DeserializePolicy {
  readonly #policy: OnDeserializeError;
  readonly #emit: Emit;

  constructor(policy: OnDeserializeError, emit: Emit) {
    this.#policy = policy;
    this.#emit = emit;
  }

  /** Whether nothing is ever skipped, so that a record need not be decoded before it is given. */
  get alwaysStops(): boolean {
    return this.#policy === "stop";
  }

  /** Whether it is known without asking anyone that the record is skipped. */
  get alwaysSkips(): boolean {
    return this.#policy === "skip";
  }

  /** Resolves to whether the record is skipped, and reports it then. What the caller's function throws goes through. */
  async skips(error: SerdeError): Promise<boolean> {
    const answer: unknown = typeof this.#policy === "function" ? await this.#policy(error) : this.#policy;
    if (answer !== "stop" && answer !== "skip") {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `onDeserializeError: expected "stop" or "skip" from the function, found ${describeValue(answer)}`,
        {
          cause: error,
        },
      );
    }
    if (answer === "skip") this.report(error);
    return answer === "skip";
  }

  report(error: SerdeError): void {
    // Every one that a consumer makes has its record.
    const record = error.record as ConsumerRecord<unknown, unknown>;
    this.#emit("record.skipped", { partition: { topic: record.topic, partition: record.partition }, offset: record.offset, error });
  }
}
