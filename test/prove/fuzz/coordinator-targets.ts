/** What Kafka's coordinators keep and clients say to each other: keys, values, subscriptions, assignments, markers, varints. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Bytes } from "../../../src/api/bytes.ts";
import { ByteReader } from "../../../src/base/byte-reader.ts";
import { decodeMarker, markerKey, markerValue } from "../../../src/base/control-record.ts";
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../../../src/consumer/assignors/index.ts";
import { decodeGroupValue, encodeGroupValue } from "../../../src/group/schemas/group-metadata-value.ts";
import { decodeOffsetValue, encodeOffsetValue } from "../../../src/group/schemas/offset-commit-value.ts";
import { decodeKey, encodeGroupKey, encodeOffsetKey } from "../../../src/group/schemas/record-key.ts";
import { decodeTransactionKey, encodeTransactionKey } from "../../../src/transaction/schemas/transaction-key.ts";
import { decodeTransactionValue, encodeTransactionValue } from "../../../src/transaction/schemas/transaction-value.ts";
import { bytesOf, vectors } from "../../fixtures/coordinator/vectors.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

export function coordinatorTargets(): FuzzTarget[] {
  const kafkas = (pattern: RegExp): Bytes[] => vectors.filter(({ name }) => pattern.test(name)).map(bytesOf);
  const protocol = protocolBytes();
  const partitions = [
    { topic: "orders", partition: 3 },
    { topic: "orders", partition: 4 },
    { topic: "é", partition: 0 },
  ];
  return [
    {
      name: "key in __consumer_offsets",
      specimens: [encodeOffsetKey("group", "orders", 7), encodeGroupKey("group"), ...kafkas(/(OffsetCommit|GroupMetadata)Key$/)],
      decode: (bytes) => {
        const key = decodeKey(bytes);
        if (key.kind === "group") again(key, decodeKey(encodeGroupKey(key.groupId)));
        if (key.kind === "offset") again(key, decodeKey(encodeOffsetKey(key.groupId, key.topic, key.partition)));
      },
    },
    {
      name: "committed offset",
      specimens: [
        encodeOffsetValue({ nextOffset: 41, leaderEpoch: -1, metadata: "m", commitTimestamp: 1_700_000_000_000 }),
        ...kafkas(/OffsetCommitValue$/),
      ],
      decode: (bytes) => {
        const { expireTimestamp, ...value } = decodeOffsetValue(bytes);
        if (Number.isSafeInteger(value.commitTimestamp))
          again({ ...value, expireTimestamp: -1 }, decodeOffsetValue(encodeOffsetValue(value)));
        return expireTimestamp;
      },
    },
    {
      name: "group",
      weight: 2,
      specimens: kafkas(/GroupMetadataValue$/),
      decode: (bytes) => {
        const group = decodeGroupValue(bytes);
        const isExact = Number.isSafeInteger(group.stateTimestamp);
        if (isExact) again(group, decodeGroupValue(encodeGroupValue(group)));
      },
    },
    { name: "transactional id", specimens: [encodeTransactionKey("tx"), ...kafkas(/TransactionLogKey$/)], decode: decodeTransactionKey },
    {
      name: "transaction",
      weight: 2,
      specimens: kafkas(/TransactionLogValue$/),
      decode: (bytes) => {
        const transaction = decodeTransactionValue(bytes);
        const [count, room] = [transaction.partitions.length, bytes.length / 4];
        mustBe(count <= room, () => `${bytes.length} bytes hold ${count} partitions`);
        // Without what version 0 does not keep.
        const kept = { ...transaction, previousProducerId: -1n, nextProducerId: -1n, clientTransactionVersion: 0 };
        const isExact = Number.isSafeInteger(kept.lastUpdateMs) && Number.isSafeInteger(kept.startMs);
        const isGrouped = new Set(kept.partitions.map(({ topic }) => topic)).size <= 1;
        if (isExact && isGrouped && kept.state !== "Empty") again(kept, decodeTransactionValue(encodeTransactionValue(kept)));
      },
    },
    {
      name: "subscription",
      weight: 2,
      specimens: [
        encodeSubscription({ topics: ["orders", "é"], ownedPartitions: partitions, generation: 4, rackId: "r" }),
        ...protocol("Subscription"),
      ],
      decode: (bytes) => {
        const { topics, ownedPartitions } = decodeSubscription(bytes);
        mustBe(
          topics.length + ownedPartitions.length <= bytes.length,
          () => `${bytes.length} bytes hold ${topics.length} topics and ${ownedPartitions.length} partitions`,
        );
      },
    },
    {
      name: "assignment",
      weight: 2,
      specimens: [encodeAssignment(partitions, Uint8Array.of(1)), ...protocol("Assignment")],
      decode: (bytes) => {
        const { partitions: found } = decodeAssignment(bytes);
        mustBe(found.length <= bytes.length, () => `${bytes.length} bytes hold ${found.length} partitions`);
      },
    },
    {
      name: "marker",
      specimens: [markerKey(true), markerKey(false), markerValue(7)],
      decode: (bytes) => [decodeMarker(bytes, bytes), decodeMarker(null, bytes), decodeMarker(bytes, null)],
    },
    {
      name: "unsigned varint",
      specimens: [Uint8Array.of(0), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), Uint8Array.of(0x80, 1)],
      decode: varint,
    },
  ];
}

/** Kafka's rule in whole numbers without bound: seven bits a byte, five bytes at most. */
function varint(bytes: Uint8Array): void {
  const value = new ByteReader(bytes, "varint").unsignedVarint();
  const end = bytes.findIndex((byte) => byte < 0x80);
  const expected = bytes.subarray(0, end + 1).reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  mustBe(
    end >= 0 && end < 5 && value === expected,
    () => `an unsigned varint is ${value}, expected ${end < 0 || end > 4 ? "a refusal" : expected}`,
  );
}

function again(first: unknown, second: unknown): void {
  mustBe(isDeepStrictEqual(first, second), () => "what was read is not what is read again after it was written");
}

/** Kafka's own subscriptions and assignments. */
function protocolBytes(): (kind: "Subscription" | "Assignment") => Bytes[] {
  const text = readFileSync(new URL("../../fixtures/coordinator/consumer-protocol-vectors.jsonl", import.meta.url), "utf8");
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly name: string; readonly version: number; readonly hex: string });
  return (kind) => lines.filter(({ name }) => name.endsWith(kind)).map(({ hex }) => Uint8Array.from(Buffer.from(hex, "hex")));
}
