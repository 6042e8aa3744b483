import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from "../../../src/consumer/assignors/index.ts";
import { compareTopicPartitions } from "../../../src/consumer/assignors/topic-partitions.ts";

interface Vector {
  readonly name: string;
  readonly version: 0 | 1 | 3;
  readonly json: {
    readonly topics?: string[];
    readonly ownedPartitions?: { topic: string; partitions: number[] }[];
    readonly assignedPartitions?: { topic: string; partitions: number[] }[];
    readonly userData: string;
    readonly generationId?: number;
    readonly rackId?: string;
  };
  readonly hex: string;
}

const fixture = new URL("../../fixtures/coordinator/consumer-protocol-vectors.jsonl", import.meta.url);
const vectors = readFileSync(fixture, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Vector);
const bytesOf = ({ version, hex }: Vector): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(`000${version}${hex}`, "hex"));
const flat = (topics: { topic: string; partitions: number[] }[] = []) =>
  topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })));
const userData = ({ json }: Vector): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(json.userData, "base64"));

const partitionsArbitrary = fc.uniqueArray(
  fc.record({ topic: fc.constantFrom("a", "b", "Übung", "a.b-c"), partition: fc.integer({ min: 0, max: 2 ** 31 - 1 }) }),
  { selector: ({ topic, partition }) => `${topic}-${partition}`, maxLength: 40 },
);

describe("the bytes members of a group speak", () => {
  it.each(vectors.filter(({ name }) => name === "ConsumerProtocolSubscription"))("are Kafka's: $name v$version", (vector) => {
    const subscription: Subscription = {
      topics: vector.json.topics ?? [],
      userData: userData(vector),
      ownedPartitions: flat(vector.json.ownedPartitions),
      generation: vector.json.generationId ?? -1,
      rackId: vector.json.rackId ?? null,
      groupInstanceId: null,
    };
    expect(decodeSubscription(bytesOf(vector))).toEqual(subscription);
    expect(encodeSubscription(subscription, vector.version)).toEqual(bytesOf(vector));
  });

  it.each(vectors.filter(({ name }) => name === "ConsumerProtocolAssignment"))("are Kafka's: $name v$version", (vector) => {
    const partitions = flat(vector.json.assignedPartitions);
    expect(decodeAssignment(bytesOf(vector))).toEqual({ partitions, userData: userData(vector) });
    expect(encodeAssignment(partitions, userData(vector), vector.version)).toEqual(bytesOf(vector));
  });

  it("have vectors for both messages", () => {
    expect(vectors.map(({ name, version }) => `${name} ${version}`)).toHaveLength(5);
  });

  it("come back as they went, topics and owned partitions sorted", () => {
    const subscriptions = fc.record({
      topics: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 })),
      userData: fc.option(fc.uint8Array({ maxLength: 50 }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>),
      ownedPartitions: partitionsArbitrary,
      generation: fc.integer({ min: -1 }),
      rackId: fc.option(fc.string({ maxLength: 10 })),
      groupInstanceId: fc.option(fc.string({ maxLength: 10 })),
    });
    fc.assert(
      fc.property(subscriptions, (subscription) => {
        expect(decodeSubscription(encodeSubscription(subscription), subscription.groupInstanceId)).toEqual({
          ...subscription,
          topics: subscription.topics.toSorted(),
          ownedPartitions: subscription.ownedPartitions.toSorted(compareTopicPartitions),
        });
      }),
    );
    fc.assert(
      fc.property(partitionsArbitrary, (partitions) => {
        const decoded = decodeAssignment(encodeAssignment(partitions)).partitions;
        expect(decoded.toSorted(compareTopicPartitions)).toEqual(partitions.toSorted(compareTopicPartitions));
      }),
    );
  });

  it("of a version not yet invented are read as the newest known, whatever follows", () => {
    const bytes = encodeSubscription({ topics: ["a"], ownedPartitions: [{ topic: "a", partition: 3 }], generation: 9, rackId: "r" });
    const newer = Uint8Array.from([0, 7, ...bytes.subarray(2), 1, 2, 3]);
    expect(decodeSubscription(newer)).toEqual(decodeSubscription(bytes));
    const assignment = encodeAssignment([{ topic: "a", partition: 3 }]);
    expect(decodeAssignment(Uint8Array.from([0, 9, ...assignment.subarray(2), 8]))).toEqual(decodeAssignment(assignment));
  });

  it("that are none of it are refused and never believed", () => {
    expect(() => decodeSubscription(Uint8Array.of(0xff, 0xff))).toThrow("found -1");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        for (const decode of [decodeSubscription, decodeAssignment]) {
          try {
            decode(noise);
          } catch (error) {
            expect(error).toMatchObject({ code: "INVALID_RECORD" });
          }
        }
      }),
    );
  });

  it("that are empty assign nothing", () => {
    expect(decodeAssignment(new Uint8Array())).toEqual({ partitions: [], userData: null });
  });
});
