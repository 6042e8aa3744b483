/** Hands whole batches to the broker, bounded in memory, and sees to it that whoever waits for them hears of it in good time. */
import type { ProduceResponse } from "../api/broker.ts";
import type { Acks, CompressionType } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { CoreFaultError, OdradekError, UsageError } from "../base/errors.ts";
import { handOverOwn } from "../base/own-batch.ts";
import { reasonOf } from "../base/reason.ts";
import { type Turn, turnOf } from "../base/turn.ts";
import type { Compression } from "../compression/compression.ts";
import type { BatchOptions, BatchWriter, Core } from "../core/core.ts";
import type { BatchGate } from "./batch-gate.ts";
import { BufferMemory } from "./buffer-memory.ts";
import type { Idempotence } from "./idempotence.ts";
import type { Answer } from "./pending-batch.ts";
import type { ProducerBroker } from "./producer-broker.ts";
import type { TopicEntry } from "./topic-directory.ts";
import { Unsettled } from "./unsettled.ts";
import { WaitingLine } from "./waiting-line.ts";

/** No producer id: neither idempotent nor transactional. */
const PLAIN: BatchOptions = Object.freeze({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });

export type Emit = (type: string, fields: { readonly [field: string]: unknown }) => void;

export interface DeliveryWiring {
  readonly broker: ProducerBroker;
  readonly core: Core;
  readonly compression: Compression;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface DeliverySettings {
  readonly acks: Acks;
  readonly bufferMemory: number;
  readonly maxBlockMs: number;
  readonly compressionType: CompressionType;
  readonly clientId: string | undefined;
  readonly transactionalId: string | undefined;
}

export class Delivery {
  readonly memory: BufferMemory;
  readonly line: WaitingLine;
  readonly unsettled: Unsettled = new Unsettled();
  readonly writer: BatchWriter;
  readonly acks: Acks;
  readonly maxBlockMs: number;
  /** null: a batch never has to wait. */
  readonly gate: BatchGate | null;
  readonly #broker: ProducerBroker;
  readonly #compression: Compression;
  readonly #compressionType: CompressionType;
  readonly #emit: Emit;
  readonly #turn: Turn;
  readonly #clientId: string | undefined;
  readonly #transactionalId: string | undefined;
  readonly #idempotence: Idempotence | null;

  /** `idempotence` null: batches go without producer id and sequence. */
  constructor(
    { broker, core, compression, clock, emit }: DeliveryWiring,
    settings: DeliverySettings,
    idempotence: Idempotence | null,
    gate: BatchGate | null,
  ) {
    this.#broker = broker;
    this.#compression = compression;
    this.#compressionType = settings.compressionType;
    this.#emit = emit;
    this.#turn = turnOf(clock);
    this.#clientId = settings.clientId;
    this.#transactionalId = settings.transactionalId;
    this.#idempotence = idempotence;
    this.gate = gate;
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

  /** `isAsking`: it was an answer of the broker that did not come. */
  exhausted(place: string, isAsking: boolean): UsageError {
    const found = isAsking
      ? "no answer about the topic all the while"
      : `${this.memory.usedByteLength} of ${this.memory.byteLengthMax} bytes of bufferMemory in use all the while`;
    return new UsageError("BUFFER_EXHAUSTED", `${place}: expected to be let in within maxBlockMs (${this.maxBlockMs}); found ${found}`);
  }

  /** Whether a batch for this partition may be handed over now. */
  isOpenFor(topic: TopicEntry, partition: number): boolean {
    return this.gate === null || this.gate.isOpenFor(topic, partition);
  }

  /** Finishes the batch in the writer, of so many bytes before it is compressed, and hands it over. Never throws. */
  handOver(topic: TopicEntry, partition: number, byteLength: number): Promise<ProduceResponse> {
    try {
      const idempotence = this.#idempotence;
      const { recordCount } = this.writer;
      const finished = this.writer.finish(idempotence === null ? PLAIN : idempotence.stamp(topic, partition));
      if (finished.length !== byteLength) {
        throw new CoreFaultError(
          "CORE_FAULT",
          `a batch for ${topic.name}-${partition}: expected ${byteLength} bytes, the core wrote ${finished.length}`,
        );
      }
      const batch = this.#compressed(finished, topic);
      const acks = this.acks === 0 ? 1 : this.acks;
      const clientId = this.#clientId;
      const transactionalId = this.#transactionalId;
      const produced = handOverOwn(batch, () =>
        this.#broker.produce({ topic: topic.name, partition, batch, acks, clientId, transactionalId }),
      );
      // Only now is a sequence taken: whatever was refused before leaves no gap.
      return idempotence === null ? produced : idempotence.follow(topic, partition, recordCount, produced);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The limits hold for a batch as it was written; one that only its compression makes too large goes as it is. */
  #compressed(batch: Uint8Array, topic: TopicEntry): Uint8Array {
    if (this.#compressionType === "none") return batch;
    const compressed = this.#compression.compressBatch(batch, this.#compressionType);
    return compressed.length > topic.maxMessageBytes ? batch : compressed;
  }

  /** A batch failed: what is believed of the topic may be old; and with `acks: 0` nobody else hears of it. */
  failed(topic: TopicEntry, partition: number, recordCount: number, error: unknown): void {
    if (error instanceof UsageError) topic.knownAtMs = Number.NEGATIVE_INFINITY;
    if (this.acks !== 0) return;
    const message = reasonOf(error);
    const code = error instanceof OdradekError ? error.code : "UNKNOWN_SERVER_ERROR";
    this.#emit("send.failed", { partition: { topic: topic.name, partition }, recordCount, code, message, error });
  }

  /** Calls at once; in the next turn, when this one has lasted so long that timers wait. */
  inGoodTime(call: () => void): void {
    if (this.isLate()) void this.nextTurn().then(call);
    else call();
  }

  /** Whether this turn has lasted so long that timers wait: then `nextTurn()` is when to go on. */
  isLate(): boolean {
    return this.#turn.isSpent();
  }

  nextTurn(): Promise<void> {
    return this.#turn.next();
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
