/** What a producer may be configured with, and what holds where nothing is said. */
import type { Acks, CompressionType } from "../api/bytes.ts";
import type { ProducerOptions } from "../api/producer.ts";
import type { Serializer } from "../api/serde.ts";
import { UsageError } from "../base/errors.ts";
import {
  booleanOption,
  checkOptions,
  choiceOption,
  functionOption,
  integerOption,
  type OptionTable,
  objectOption,
  stringOption,
} from "../base/options.ts";
import type { CodecName, Compression } from "../compression/compression.ts";

const WHERE = "log.producer()";
const CODECS: readonly CodecName[] = ["gzip", "snappy", "lz4", "zstd"];

/** Kafka keeps times of linger and block in 31 and 63 bits; a day is longer than either ever wants. */
const LINGER_MS_MAX = 2 ** 31 - 1;

function table<K, V>(): OptionTable<ProducerOptions<K, V, Acks>> {
  return {
    key: objectOption<Serializer<K>>("a serializer (utf8, bytes, json(), msgpack() or an object with serialize)", "serialize"),
    value: objectOption<Serializer<V>>("a serializer (utf8, bytes, json(), msgpack() or an object with serialize)", "serialize"),
    acks: choiceOption("all", 1, 0),
    lingerMs: integerOption(0, LINGER_MS_MAX),
    batchSize: integerOption(0, 2 ** 31 - 1),
    bufferMemory: integerOption(1),
    maxBlockMs: integerOption(0, Number.POSITIVE_INFINITY),
    compressionType: choiceOption<readonly CompressionType[]>("none", "gzip", "snappy", "lz4", "zstd"),
    enableIdempotence: booleanOption,
    transactionalId: stringOption(1, 249),
    clientId: stringOption(1, 249),
    partitioner: functionOption(),
  };
}

export interface ProducerSettings<K, V> extends Omit<ProducerOptions<K, V, Acks>, "transactionalId" | "clientId" | "partitioner"> {
  readonly transactionalId: string | undefined;
  readonly clientId: string | undefined;
  readonly partitioner: ProducerOptions<K, V>["partitioner"] | undefined;
}

/**
 * Throws a `UsageError`: see `checkOptions`; `INVALID_REQUEST` for options that contradict each other; `UNSUPPORTED_COMPRESSION_TYPE`
 * for a codec that cannot be written here.
 */
export function checkProducerOptions<K, V>(
  given: unknown,
  key: Serializer<K>,
  value: Serializer<V>,
  compression: Compression,
): ProducerSettings<K, V> {
  const options = checkOptions(given, table<K, V>(), WHERE);
  const compressionType = options.compressionType ?? "none";
  if (compressionType !== "none" && !compression.canCompress(compressionType)) throw cannotCompress(compressionType, compression);
  const acks = options.acks ?? "all";
  return {
    key: options.key ?? key,
    value: options.value ?? value,
    acks,
    lingerMs: options.lingerMs ?? 0,
    batchSize: options.batchSize ?? 16384,
    bufferMemory: options.bufferMemory ?? 32 * 1024 * 1024,
    maxBlockMs: options.maxBlockMs ?? 60_000,
    compressionType,
    enableIdempotence: checkIdempotence(acks, options.enableIdempotence, options.transactionalId),
    transactionalId: options.transactionalId,
    clientId: options.clientId,
    partitioner: options.partitioner,
  };
}

/** Kafka's rule: on unless said otherwise, or unless `acks` rules it out; a transaction needs it. */
function checkIdempotence(acks: Acks, enableIdempotence: boolean | undefined, transactionalId: string | undefined): boolean {
  if (transactionalId !== undefined && enableIdempotence === false) {
    throw new UsageError("INVALID_REQUEST", `${WHERE}: enableIdempotence: expected true with a transactionalId, found false`);
  }
  if (acks === "all") return enableIdempotence ?? true;
  if (transactionalId === undefined && enableIdempotence !== true) return false;
  const needs = transactionalId === undefined ? "enableIdempotence: true" : "a transactionalId";
  throw new UsageError("INVALID_REQUEST", `${WHERE}: acks: expected "all" with ${needs}, found ${acks}`);
}

function cannotCompress(codec: CodecName, compression: Compression): UsageError {
  const can = CODECS.filter((each) => compression.canCompress(each));
  return new UsageError(
    "UNSUPPORTED_COMPRESSION_TYPE",
    `${WHERE}: compressionType: ${codec} is read in this runtime and cannot be written; written are ${can.join(", ")} and none`,
  );
}
