/** Hands whole batches to the broker, bounded in memory, and sees to it that whoever waits for them hears of it in good time. */
import type { Broker, ProduceResponse } from "../api/broker.ts";
import type { Acks } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { OdradekError, UsageError } from "../base/errors.ts";
import { handOverOwn } from "../base/own-batch.ts";
import { type Turn, turnOf } from "../base/turn.ts";
import type { BatchOptions, BatchWriter, Core } from "../core/core.ts";
import { BufferMemory } from "./buffer-memory.ts";
import type { Answer } from "./pending-batch.ts";
import type { TopicEntry } from "./topic-directory.ts";
import { Unsettled } from "./unsettled.ts";
import { WaitingLine } from "./waiting-line.ts";

/** No producer id: neither idempotent nor transactional. */
const PLAIN: BatchOptions = Object.freeze({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });

export type Emit = (type: string, fields: { readonly [field: string]: unknown }) => void;

export interface DeliveryWiring {
  readonly broker: Broker;
  readonly core: Core;
  readonly clock: Clock;
  readonly emit: Emit;
}

export class Delivery {
  readonly memory: BufferMemory;
  readonly line: WaitingLine;
  readonly unsettled: Unsettled = new Unsettled();
  readonly writer: BatchWriter;
  readonly acks: Acks;
  readonly maxBlockMs: number;
  readonly #broker: Broker;
  readonly #emit: Emit;
  readonly #turn: Turn;
  readonly #clientId: string | undefined;

  constructor(
    { broker, core, clock, emit }: DeliveryWiring,
    settings: { readonly acks: Acks; readonly bufferMemory: number; readonly maxBlockMs: number; readonly clientId: string | undefined },
  ) {
    this.#broker = broker;
    this.#emit = emit;
    this.#turn = turnOf(clock);
    this.#clientId = settings.clientId;
    this.acks = settings.acks;
    this.maxBlockMs = settings.maxBlockMs;
    this.writer = core.writer;
    this.line = new WaitingLine(clock, settings.maxBlockMs);
    this.memory = new BufferMemory(settings.bufferMemory, () => this.line.advance());
  }

  /** Begins a batch in the core's writer. No code of the program's may run until it is finished, or it may not be there any more. */
  begin(): BatchWriter {
    this.writer.begin(PLAIN);
    return this.writer;
  }

  /** The largest batch for this topic. */
  batchByteLengthMax(topic: TopicEntry): number {
    return Math.min(topic.maxMessageBytes, this.memory.byteLengthMax);
  }

  /** `place`: the call, as its author wrote it. What is known of the topic may be old: ask again before this is told. */
  tooLarge(topic: TopicEntry, byteLength: number, place: string): UsageError {
    const limit =
      topic.maxMessageBytes <= this.memory.byteLengthMax
        ? `${topic.maxMessageBytes} bytes (maxMessageBytes of topic ${JSON.stringify(topic.name)})`
        : `${this.memory.byteLengthMax} bytes (the producer's bufferMemory)`;
    return new UsageError(
      "MESSAGE_TOO_LARGE",
      `${place}: expected a record that takes at most ${limit} as a batch of its own; found ${byteLength}`,
    );
  }

  /** `isAsking`: it was the broker's answer about the topic that did not come. */
  exhausted(place: string, isAsking: boolean): UsageError {
    const found = isAsking
      ? "no answer about the topic all the while"
      : `${this.memory.usedByteLength} of ${this.memory.byteLengthMax} bytes of bufferMemory in use all the while`;
    return new UsageError("BUFFER_EXHAUSTED", `${place}: expected to be let in within maxBlockMs (${this.maxBlockMs}); found ${found}`);
  }

  /** `batch`: what the writer's `finish()` has just given. It is lent until this returns. Never throws. */
  produce(topic: TopicEntry, partition: number, batch: Uint8Array): Promise<ProduceResponse> {
    try {
      const acks = this.acks === 0 ? 1 : this.acks;
      return handOverOwn(batch, () => this.#broker.produce({ topic: topic.name, partition, batch, acks, clientId: this.#clientId }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A batch failed: what is believed of the topic may be old; and with `acks: 0` nobody else hears of it. */
  failed(topic: TopicEntry, partition: number, recordCount: number, error: unknown): void {
    if (error instanceof UsageError) topic.knownAtMs = Number.NEGATIVE_INFINITY;
    if (this.acks !== 0) return;
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof OdradekError ? error.code : "UNKNOWN_SERVER_ERROR";
    this.#emit("send.failed", { partition: { topic: topic.name, partition }, recordCount, code, message, error });
  }

  /** Calls at once; in the next turn, when this one has lasted so long that timers wait. */
  inGoodTime(call: () => void): void {
    if (this.#turn.isSpent()) void this.#turn.next().then(call);
    else call();
  }
}

/** What `acks: 0` answers with. */
export function unacknowledged(topic: string, partition: number, timestamp: number): Answer {
  return { topic, partition, offset: undefined, timestamp, durability: "none" } as unknown as Answer;
}

/** What is told of one record of a batch that was appended. */
export function acknowledged(topic: string, partition: number, response: ProduceResponse, offsetDelta: number, timestamp: number): Answer {
  return {
    topic,
    partition,
    offset: response.baseOffset + offsetDelta,
    timestamp: response.logAppendTime === -1 ? timestamp : response.logAppendTime,
    durability: response.durability,
  } as Answer;
}

/** Whether this is what `tooLarge` makes. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof UsageError && error.code === "MESSAGE_TOO_LARGE";
}
