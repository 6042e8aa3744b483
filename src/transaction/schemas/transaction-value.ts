/** The value of a transactional id in `__transaction_state`: Kafka's TransactionLogValue, written as version 0, read as 0 and 1. */
import type { Bytes, TopicPartition } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { OdradekError } from "../../base/errors.ts";
import { NO_PRODUCER_ID, type TransactionMetadata } from "../transaction-metadata.ts";
import { TRANSACTION_STATES } from "../transaction-state.ts";

//  0         2             10               12               16            17
//  ├ version ┼ producer id ┼ producer epoch ┼ timeout: int32 ┼ state: int8 ┼ partitions | null: array of { topic, partitions: array of int32 }
//  ┼ last update: int64 ┼ start: int64
//  v1: compact strings and arrays, tags after every struct; tags of the whole: 0 previous producer id, 1 next, 2 client transaction version
const VERSION_WRITTEN = 0;
const VERSION_HIGHEST = 1;
/** An empty name and an empty list, in the shorter encoding, with no tags. */
const TOPIC_BYTE_LENGTH_MIN = 3;

export function encodeTransactionValue(metadata: TransactionMetadata): Bytes {
  const writer = new ByteWriter(128).int16(VERSION_WRITTEN).bigInt64(metadata.producerId).int16(metadata.producerEpoch);
  writer.int32(metadata.timeoutMs).int8(TRANSACTION_STATES.indexOf(metadata.state));
  if (metadata.state === "Empty") writer.int32(-1);
  else {
    const topics = new Map<string, number[]>();
    for (const { topic, partition } of metadata.partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
    writer.int32(topics.size);
    for (const [topic, partitions] of topics) {
      writer.string(topic).int32(partitions.length);
      for (const partition of partitions) writer.int32(partition);
    }
  }
  return writer.int64(metadata.lastUpdateMs).int64(metadata.startMs).finish();
}

/** Throws `INVALID_RECORD` for bytes that are none, and `UNSUPPORTED_VERSION` for a version we have not seen. */
export function decodeTransactionValue(bytes: Uint8Array): TransactionMetadata {
  const reader = new ByteReader(bytes, "TransactionLogValue");
  const version = reader.int16();
  if (version < 0 || version > VERSION_HIGHEST) {
    throw new OdradekError("UNSUPPORTED_VERSION", `TransactionLogValue: expected version 0 to ${VERSION_HIGHEST}, found ${version}`);
  }
  const flexible = version >= 1;
  const producerId = reader.int64();
  const producerEpoch = reader.int16();
  const timeoutMs = reader.int32();
  const stateNumber = reader.int8();
  const state = TRANSACTION_STATES[stateNumber];
  if (state === undefined) throw new OdradekError("INVALID_RECORD", `TransactionLogValue: ${stateNumber} is the number of no state`);
  const partitions = decodePartitions(reader, flexible);
  const lastUpdateMs = reader.int64AsNumber();
  const startMs = reader.int64AsNumber();
  let [previousProducerId, nextProducerId, clientTransactionVersion] = [NO_PRODUCER_ID, NO_PRODUCER_ID, 0];
  if (flexible) {
    reader.taggedFields((tag) => {
      if (tag === 0) previousProducerId = reader.int64();
      else if (tag === 1) nextProducerId = reader.int64();
      else if (tag === 2) clientTransactionVersion = reader.int16();
    });
  }
  const identity = { producerId, previousProducerId, nextProducerId, producerEpoch };
  return { ...identity, timeoutMs, state, partitions, lastUpdateMs, startMs, clientTransactionVersion };
}

function decodePartitions(reader: ByteReader, flexible: boolean): TopicPartition[] {
  const count = (elementByteLengthMin: number): number =>
    flexible ? reader.compactArrayCount(elementByteLengthMin) : reader.arrayCount(elementByteLengthMin);
  const partitions: TopicPartition[] = [];
  for (let topics = count(TOPIC_BYTE_LENGTH_MIN); topics > 0; topics -= 1) {
    const topic = flexible ? reader.compactString() : reader.string();
    for (let left = count(4); left > 0; left -= 1) partitions.push({ topic, partition: reader.int32() });
    if (flexible) reader.skipTaggedFields();
  }
  return partitions;
}
