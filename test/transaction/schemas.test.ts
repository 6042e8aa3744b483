import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coordinatorPartition, javaHash } from "../../src/base/java-hash.ts";
import { decodeTransactionKey, encodeTransactionKey } from "../../src/transaction/schemas/transaction-key.ts";
import { decodeTransactionValue, encodeTransactionValue } from "../../src/transaction/schemas/transaction-value.ts";
import type { TransactionMetadata } from "../../src/transaction/transaction-metadata.ts";
import { TRANSACTION_STATES } from "../../src/transaction/transaction-state.ts";
import { bytesOf, named, type Vector } from "../fixtures/coordinator/vectors.ts";

function metadataOf({ json }: Vector): TransactionMetadata {
  const partitions = (json["transactionPartitions"] as { topic: string; partitionIds: number[] }[]).flatMap(({ topic, partitionIds }) =>
    partitionIds.map((partition) => ({ topic, partition })),
  );
  return {
    producerId: BigInt(json["producerId"] as number),
    previousProducerId: BigInt((json["previousProducerId"] as number | undefined) ?? -1),
    nextProducerId: BigInt((json["nextProducerId"] as number | undefined) ?? -1),
    producerEpoch: json["producerEpoch"] as number,
    timeoutMs: json["transactionTimeoutMs"] as number,
    state: TRANSACTION_STATES[json["transactionStatus"] as number] as TransactionMetadata["state"],
    partitions,
    lastUpdateMs: json["transactionLastUpdateTimestampMs"] as number,
    startMs: json["transactionStartTimestampMs"] as number,
    clientTransactionVersion: (json["clientTransactionVersion"] as number | undefined) ?? 0,
  };
}

const metadata: fc.Arbitrary<TransactionMetadata> = fc.record({
  producerId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  previousProducerId: fc.constant(-1n),
  nextProducerId: fc.constant(-1n),
  producerEpoch: fc.integer({ min: 0, max: 32767 }),
  timeoutMs: fc.integer({ min: 1, max: 900_000 }),
  state: fc.constantFrom("Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit"),
  // Partitions of one topic stand together in the record, so that is how they come back.
  partitions: fc
    .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,5}$/), fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 4 })), {
      selector: ([topic]) => topic,
      maxLength: 4,
    })
    .map((topics) => topics.flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))),
  lastUpdateMs: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  startMs: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
  clientTransactionVersion: fc.constant(0),
});

describe("records of __transaction_state", () => {
  it.each(named("TransactionLogKey"))("have Kafka's keys, version $version", (vector) => {
    const { transactionalId } = vector.json as { transactionalId: string };
    expect(decodeTransactionKey(bytesOf(vector))).toBe(transactionalId);
    expect(encodeTransactionKey(transactionalId)).toEqual(bytesOf(vector));
  });

  it.each(named("TransactionLogValue"))("have Kafka's values, version $version", (vector) => {
    expect(decodeTransactionValue(bytesOf(vector))).toEqual(metadataOf(vector));
    if (vector.version === 0) expect(encodeTransactionValue(metadataOf(vector))).toEqual(bytesOf(vector));
  });

  it("there are vectors of both", () => {
    expect(named("TransactionLogKey").length).toBeGreaterThan(0);
    expect(named("TransactionLogValue").map(({ version }) => version)).toEqual([0, 1]);
  });

  it("come back as they went", () => {
    fc.assert(
      fc.property(metadata, (value) => {
        expect(decodeTransactionValue(encodeTransactionValue(value))).toEqual(value);
      }),
    );
  });

  it("name no partitions where none was ever begun, as Kafka writes it: null, not an empty list", () => {
    const [vector] = named("TransactionLogValue");
    const empty: TransactionMetadata = { ...metadataOf(vector as Vector), state: "Empty", partitions: [] };
    const bytes = encodeTransactionValue(empty);
    expect([...bytes.subarray(17, 21)]).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect(decodeTransactionValue(bytes)).toEqual(empty);
  });

  it("cut short or of another version are refused by name, and tags that nobody knows are passed over", () => {
    for (const vector of named("TransactionLogValue")) {
      const bytes = bytesOf(vector);
      for (let byteLength = 0; byteLength < bytes.length; byteLength += 1)
        expect(() => decodeTransactionValue(bytes.subarray(0, byteLength))).toThrow(/TransactionLogValue/);
    }
    expect(() => decodeTransactionValue(Uint8Array.of(0, 2, 0, 0))).toThrow(/version 0 to 1, found 2/);
    const [, flexible] = named("TransactionLogValue") as [Vector, Vector];
    const tagged = Uint8Array.from([...bytesOf(flexible), 9, 3, 1, 2, 3]);
    // Three tags stand there already; a fourth one follows.
    const countAt = tagged.lastIndexOf(3, tagged.length - 6);
    const at = bytesOf(flexible).findIndex((byte, index, all) => byte === 3 && all[index + 1] === 0 && all[index + 2] === 8);
    expect(countAt).toBeGreaterThan(0);
    tagged[at] = 4;
    expect(decodeTransactionValue(tagged)).toEqual(metadataOf(flexible));
  });

  it("lie in the partition that Java's hash of the id chooses", () => {
    // String.hashCode of these, as any JVM says.
    expect([javaHash(""), javaHash("a"), javaHash("hello"), javaHash("polygenelubricants")]).toEqual([0, 97, 99162322, -(2 ** 31)]);
    expect(coordinatorPartition("polygenelubricants")).toBe(0);
    fc.assert(
      fc.property(fc.string(), (id) => {
        const partition = coordinatorPartition(id);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(50);
      }),
    );
  });
});
