/** Data directories that Odradek writes through its face, from a seed: topics of every shape, records of every shape, reopened on the way. */
import { rmSync } from "node:fs";
import type { HeaderInput, Odradek, Options, Producer, ProducerRecord, TopicConfig } from "../../../src/index.ts";
import { bytes, open } from "../../../src/index.ts";
import { writableCodecs } from "./odradek-clients.ts";
import type { SeededRandom } from "./random.ts";
import type { RawRecord } from "./record-hash.ts";

const noon = 1_700_000_000_000;

export interface GeneratedTopic {
  readonly name: string;
  readonly config: Options<TopicConfig>;
  /** By partition: what was acknowledged, in order of offsets. Timestamps are those that the log stamped, where it does. */
  readonly partitions: RawRecord[][];
}

export interface GeneratedDirectory {
  readonly directory: string;
  readonly openCount: number;
  readonly topics: readonly GeneratedTopic[];
}

function topicConfig(random: SeededRandom): Options<TopicConfig> {
  const segmentBytes = random.pick([4000, 10_000, 100_000, 1_073_741_824]);
  // A batch that just fits as it was sent may be too large in the topic's own codec, and is then refused, as by a broker.
  const isRoomy = segmentBytes >= 100_000;
  return {
    segmentBytes,
    indexIntervalBytes: random.pick([0, 100, 500, 4096]),
    segmentIndexBytes: random.pick([120, 1200, 10_485_760]),
    messageTimestampType: random.oneIn(5) ? "LogAppendTime" : "CreateTime",
    cleanupPolicy: "delete",
    compressionType: isRoomy && random.oneIn(3) ? random.pick([...writableCodecs, "uncompressed" as const]) : "producer",
    retentionMs: Number.POSITIVE_INFINITY,
    durability: random.oneIn(4) ? "sync" : "os",
  };
}

function record(random: SeededRandom, topic: string, partition: number): ProducerRecord<Uint8Array, Uint8Array> {
  const headers: HeaderInput[] = [];
  while (random.oneIn(3) && headers.length < 5) {
    headers.push([random.text(random.below(6)), random.pick([null, random.text(3), random.bytes(random.below(30))])]);
  }
  const sized = (byteLengthMax: number): Uint8Array =>
    random.oneIn(2) ? random.bytes(random.below(byteLengthMax)) : Buffer.from(random.text(random.below(byteLengthMax / 2)), "utf8");
  return {
    topic,
    partition,
    key: random.oneIn(4) ? null : sized(20),
    value: random.oneIn(8) ? null : sized(random.oneIn(20) ? 3000 : 120),
    headers,
    // Out of order, equal, old, and none at all.
    timestamp: random.oneIn(30) ? -1 : random.oneIn(20) ? random.below(1000) : noon + random.below(100_000),
  };
}

/** Writes `partitionCount` logs under `directory`, opened and closed `openCount` times. */
export async function generateDirectory(
  random: SeededRandom,
  directory: string,
  partitionCount: number,
  openCount: number,
): Promise<GeneratedDirectory> {
  rmSync(directory, { recursive: true, force: true });
  const topics: GeneratedTopic[] = [];
  let log = await open(directory);
  try {
    for (let left = partitionCount; left > 0; ) {
      const count = Math.min(left, 1 + random.below(3));
      const topic: GeneratedTopic = {
        name: `logs-${topics.length}.${random.below(1000)}`,
        config: topicConfig(random),
        partitions: Array.from({ length: count }, () => []),
      };
      await log.createTopic(topic.name, { ...topic.config, partitions: count });
      topics.push(topic);
      left -= count;
    }
    await write(random, log, topics);
    for (let opened = 1; opened < openCount; opened++) {
      await log.close();
      log = await open(directory);
      await write(random, log, topics);
    }
  } finally {
    await log.close();
  }
  for (const { partitions } of topics) for (const records of partitions) records.sort((a, b) => a.offset - b.offset);
  return { directory, openCount, topics };
}

async function write(random: SeededRandom, log: Odradek, topics: readonly GeneratedTopic[]): Promise<void> {
  const producer = log.producer({
    key: bytes,
    value: bytes,
    lingerMs: random.pick([0, 0, 2]),
    batchSize: random.pick([0, 300, 16384]),
    acks: "all" as const,
    compressionType: random.pick(["none" as const, "none" as const, ...writableCodecs]),
    enableIdempotence: !random.oneIn(3),
  });
  for (const topic of topics) {
    for (let step = 4 + random.below(6); step > 0; step--) {
      const records = Array.from({ length: 1 + random.below(60) }, () => record(random, topic.name, random.below(topic.partitions.length)));
      await send(producer, topic, records, random.oneIn(2));
    }
  }
  await producer.close();
}

async function send(
  producer: Producer<Uint8Array, Uint8Array, "all">,
  topic: GeneratedTopic,
  records: readonly ProducerRecord<Uint8Array, Uint8Array>[],
  inBatches: boolean,
): Promise<void> {
  const answers = inBatches ? await producer.sendBatch(records) : await Promise.all(records.map((each) => producer.send(each)));
  for (const [index, { partition, offset, timestamp }] of answers.entries()) {
    const { key = null, value, headers = [] } = records[index] as ProducerRecord<Uint8Array, Uint8Array>;
    topic.partitions[partition]?.push({
      offset,
      timestamp,
      key,
      value,
      headers: headers.map(
        ([name, given]) => [name, typeof given === "string" ? Buffer.from(given, "utf8") : given] as RawRecord["headers"][number],
      ),
    });
  }
}
