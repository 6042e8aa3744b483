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

const WHERE = "log.producer()";

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

/** Throws a `UsageError`: see `checkOptions`, and `UNSUPPORTED_COMPRESSION_TYPE` for a codec that is not there yet. */
export function checkProducerOptions<K, V>(given: unknown, key: Serializer<K>, value: Serializer<V>): ProducerSettings<K, V> {
  const options = checkOptions(given, table<K, V>(), WHERE);
  const compressionType = options.compressionType ?? "none";
  if (compressionType !== "none") {
    throw new UsageError(
      "UNSUPPORTED_COMPRESSION_TYPE",
      `${WHERE}: compressionType: ${compressionType} is not available in this version; leave it out, or say "none"`,
    );
  }
  return {
    key: options.key ?? key,
    value: options.value ?? value,
    acks: options.acks ?? "all",
    lingerMs: options.lingerMs ?? 0,
    batchSize: options.batchSize ?? 16384,
    bufferMemory: options.bufferMemory ?? 32 * 1024 * 1024,
    maxBlockMs: options.maxBlockMs ?? 60_000,
    compressionType,
    // Accepted, and without effect while there is no retry: a batch is handed over once, and the log gives no answer twice.
    enableIdempotence: options.enableIdempotence ?? true,
    transactionalId: options.transactionalId,
    clientId: options.clientId,
    partitioner: options.partitioner,
  };
}
