import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupPartition, javaHash } from "../../src/group/group-partition.ts";
import { decodeGroupValue, encodeGroupValue } from "../../src/group/schemas/group-metadata-value.ts";
import { decodeOffsetValue, encodeOffsetValue } from "../../src/group/schemas/offset-commit-value.ts";
import { decodeKey, encodeGroupKey, encodeOffsetKey } from "../../src/group/schemas/record-key.ts";
import { bytesOf, named, vectors } from "../fixtures/coordinator/vectors.ts";

const fromBase64 = (value: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(value, "base64"));

describe("records of __consumer_offsets", () => {
  it.each(named("OffsetCommitKey"))("have Kafka's keys: offset, version $version", (vector) => {
    const { group, topic, partition } = vector.json as { group: string; topic: string; partition: number };
    expect(decodeKey(bytesOf(vector))).toEqual({ kind: "offset", groupId: group, topic, partition });
    if (vector.version === 1) expect(encodeOffsetKey(group, topic, partition)).toEqual(bytesOf(vector));
  });

  it.each(named("GroupMetadataKey"))("have Kafka's keys: group, version $version", (vector) => {
    const { group } = vector.json as { group: string };
    expect(decodeKey(bytesOf(vector))).toEqual({ kind: "group", groupId: group });
    expect(encodeGroupKey(group)).toEqual(bytesOf(vector));
  });

  it.each(named("OffsetCommitValue"))("have Kafka's offsets, version $version", (vector) => {
    const { offset, ...rest } = vector.json as { offset: number; metadata: string; commitTimestamp: number };
    const value = { leaderEpoch: -1, expireTimestamp: -1, ...rest, nextOffset: offset };
    expect(decodeOffsetValue(bytesOf(vector))).toEqual(value);
    if (vector.version === 3) expect(encodeOffsetValue(value)).toEqual(bytesOf(vector));
  });

  it.each(named("GroupMetadataValue"))("have Kafka's groups, version $version", (vector) => {
    const json = vector.json as {
      protocolType: string;
      generation: number;
      protocol: string;
      leader: string;
      currentStateTimestamp?: number;
      members: (Record<"memberId" | "clientId" | "clientHost" | "subscription" | "assignment", string> & {
        groupInstanceId?: string;
        rebalanceTimeout?: number;
        sessionTimeout: number;
      })[];
    };
    const group = {
      protocolType: json.protocolType,
      generation: json.generation,
      protocolName: json.protocol,
      leader: json.leader,
      stateTimestamp: json.currentStateTimestamp ?? -1,
      members: json.members.map((member) => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId ?? null,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeout ?? member.sessionTimeout,
        sessionTimeoutMs: member.sessionTimeout,
        subscription: fromBase64(member.subscription),
        assignment: fromBase64(member.assignment),
      })),
    };
    expect(decodeGroupValue(bytesOf(vector))).toEqual(group);
    if (vector.version === 3) expect(encodeGroupValue(group)).toEqual(bytesOf(vector));
  });

  it("have a vector for every version that is read", () => {
    const versions = (name: string) => named(name).map(({ version }) => version);
    expect(versions("OffsetCommitKey")).toEqual([0, 1]);
    expect(versions("OffsetCommitValue")).toEqual([0, 1, 2, 3, 4]);
    expect(versions("GroupMetadataValue")).toEqual([0, 1, 2, 3, 4]);
  });

  it("of the newer protocols are told apart and otherwise left alone", () => {
    const newer = vectors.filter(({ name }) => /^(Consumer|Share)Group.*Key$/.test(name));
    expect(newer.length).toBeGreaterThanOrEqual(12);
    for (const vector of newer) expect(decodeKey(bytesOf(vector))).toEqual({ kind: "other", version: vector.version });
  });

  it("come back as they went", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 });
    const bytes = fc.uint8Array({ maxLength: 40 }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>;
    const int32 = fc.integer();
    const member = fc.record({
      memberId: text,
      groupInstanceId: fc.option(text),
      clientId: text,
      clientHost: text,
      rebalanceTimeoutMs: int32,
      sessionTimeoutMs: int32,
      subscription: bytes,
      assignment: bytes,
    });
    const group = fc.record({
      protocolType: text,
      generation: int32,
      protocolName: fc.option(text),
      leader: fc.option(text),
      stateTimestamp: fc.maxSafeInteger(),
      members: fc.array(member, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(group, (value) => {
        expect(decodeGroupValue(encodeGroupValue(value))).toEqual(value);
      }),
    );
    const offset = fc.record({ nextOffset: fc.maxSafeNat(), leaderEpoch: int32, metadata: text, commitTimestamp: fc.maxSafeInteger() });
    fc.assert(
      fc.property(offset, (value) => {
        expect(decodeOffsetValue(encodeOffsetValue(value))).toEqual({ ...value, expireTimestamp: -1 });
      }),
    );
    fc.assert(
      fc.property(text, text, fc.nat(), (groupId, topic, partition) => {
        expect(decodeKey(encodeOffsetKey(groupId, topic, partition))).toEqual({ kind: "offset", groupId, topic, partition });
      }),
    );
  });

  it("that are noise are refused with a code, never believed or fatal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 4 }), (noise, version) => {
        for (const decode of [decodeKey, decodeOffsetValue, decodeGroupValue]) {
          try {
            decode(Uint8Array.from([0, version, ...noise]));
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(INVALID_RECORD|UNSUPPORTED_VERSION)$/) });
          }
        }
      }),
    );
  });

  it("of an unknown version, or with an offset no number can hold, are refused", () => {
    expect(() => decodeOffsetValue(Uint8Array.of(0, 5))).toThrow("expected version 0 to 4, found 5");
    expect(() => decodeGroupValue(Uint8Array.of(0, 9))).toThrow("expected version 0 to 4, found 9");
    const value = encodeOffsetValue({ nextOffset: 1, leaderEpoch: -1, metadata: "", commitTimestamp: 0 });
    value.set([0x7f], 2);
    expect(() => decodeOffsetValue(value)).toThrow("expected an offset of 0 to 2^53-1");
  });

  it("holds a timeout without end as the longest Kafka's field can", () => {
    const member = { memberId: "m", groupInstanceId: null, clientId: "c", clientHost: "", rebalanceTimeoutMs: Number.POSITIVE_INFINITY };
    const members = [{ ...member, sessionTimeoutMs: -1, subscription: new Uint8Array(), assignment: new Uint8Array() }];
    const group = { protocolType: "consumer", generation: 1, protocolName: "range", leader: "m", stateTimestamp: 0, members };
    expect(decodeGroupValue(encodeGroupValue(group)).members[0]).toMatchObject({ rebalanceTimeoutMs: 2 ** 31 - 1, sessionTimeoutMs: -1 });
  });
});

describe("a group's partition", () => {
  // From the known answers of Java's String.hashCode; the last but one is the hash without a positive twin.
  it.each([
    ["my-group", -1906497762, 12],
    ["console-consumer-1", 35782224, 24],
    ["txn-1", 110810510, 10],
    ["polygenelubricants", -2147483648, 0],
    ["", 0, 0],
  ])("of %j is Kafka's", (groupId, hash, partition) => {
    expect(javaHash(groupId)).toBe(hash);
    expect(groupPartition(groupId)).toBe(partition);
  });
});
