import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isTopicName,
  parsePartitionDirectoryName,
  parseSegmentFileName,
  partitionDirectoryName,
  segmentFileName,
} from "../../../src/log/files/file-names.ts";
import { goldenFiles } from "./support.ts";

const kinds = fc.constantFrom("log", "index", "timeindex", "txnindex", "snapshot", "seal") as fc.Arbitrary<
  Parameters<typeof segmentFileName>[1]
>;
const topics = fc.stringMatching(/^[a-zA-Z0-9._-]{1,249}$/).filter((name) => name !== "." && name !== "..");

describe("segment file names", () => {
  it("come back as they went, with any of Kafka's suffixes", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), kinds, fc.constantFrom("", "deleted", "cleaned", "swap"), (baseOffset, kind, suffix) => {
        const name = segmentFileName(baseOffset, kind);
        expect(name.indexOf(".")).toBe(20);
        expect(parseSegmentFileName(suffix === "" ? name : `${name}.${suffix}`)).toEqual({ baseOffset, kind, suffix });
      }),
    );
  });

  it("sort as their offsets do", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (left, right) => {
        expect(segmentFileName(left, "log") < segmentFileName(right, "log")).toBe(left < right);
      }),
    );
  });

  it("are nothing else than what Kafka writes", () => {
    for (const name of [
      "",
      "0.log",
      "0000000000000000000.log",
      "000000000000000000000.log",
      "00000000000000000000.LOG",
      "00000000000000000000.log ",
      " 00000000000000000000.log",
      "00000000000000000000.log\n",
      "00000000000000000000.log.tmp",
      "00000000000000000000.log.deleted.deleted",
      "00000000000000000000.checkpoint",
      "00000000000000000000",
      "-0000000000000000001.log",
      "0x000000000000000000.log",
      "00009007199254740992.log", // 2^53
      "99999999999999999999.log",
      "odradek.state",
      "partition.metadata",
    ])
      expect(parseSegmentFileName(name), name).toBeNull();
    fc.assert(
      fc.property(fc.string(), (name) => {
        const parsed = parseSegmentFileName(name);
        if (parsed !== null)
          expect(name).toBe(segmentFileName(parsed.baseOffset, parsed.kind) + (parsed.suffix === "" ? "" : `.${parsed.suffix}`));
      }),
    );
  });

  it("refuse an offset that a number cannot hold", () => {
    for (const offset of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => segmentFileName(offset, "log")).toThrow(/2\^53-1/);
  });

  it("name every segment file that Kafka wrote", () => {
    const unknown = goldenFiles("data-clean/orders-0").filter((name) => parseSegmentFileName(name) === null);
    expect(unknown.sort()).toEqual(["leader-epoch-checkpoint", "partition.metadata"]);
  });
});

describe("partition directory names", () => {
  it("come back as they went, whatever dashes and digits the topic ends with", () => {
    fc.assert(
      fc.property(topics, fc.integer({ min: 0, max: 2 ** 31 - 1 }), (topic, partition) => {
        expect(parsePartitionDirectoryName(partitionDirectoryName(topic, partition))).toEqual({ topic, partition, suffix: "" });
      }),
    );
    expect(parsePartitionDirectoryName("a-1-2")).toEqual({ topic: "a-1", partition: 2, suffix: "" });
    expect(parsePartitionDirectoryName("--0")).toEqual({ topic: "-", partition: 0, suffix: "" });
  });

  it("know Kafka's three kinds that are not live", () => {
    const uuid = "0123456789abcdef0123456789abcdef";
    for (const suffix of ["delete", "stray", "future"]) {
      expect(parsePartitionDirectoryName(`orders.eu-7.${uuid}-${suffix}`)).toEqual({ topic: "orders.eu", partition: 7, suffix });
      expect(parsePartitionDirectoryName(`orders-7.${uuid.slice(1)}-${suffix}`)).toBeNull();
      expect(parsePartitionDirectoryName(`orders-7.${uuid.toUpperCase()}-${suffix}`)).toBeNull();
    }
    // Such a name with a partition behind it is a live partition of an oddly named topic.
    expect(parsePartitionDirectoryName(`a-7.${uuid}-delete-3`)).toEqual({ topic: `a-7.${uuid}-delete`, partition: 3, suffix: "" });
  });

  it("are nothing else", () => {
    for (const name of [
      "",
      "-",
      "orders",
      "orders-",
      "-0",
      ".-0",
      "..-0",
      "orders-00",
      "orders-01",
      "orders-+1",
      "orders-1.5",
      "orders-2147483648",
      "a b-0",
      "ö-0",
      "orders-0\n",
      "orders-x",
    ]) {
      expect(parsePartitionDirectoryName(name), name).toBeNull();
    }
    expect(parsePartitionDirectoryName(`${"a".repeat(250)}-0`)).toBeNull();
    expect(isTopicName("a".repeat(249))).toBe(true);
    expect(isTopicName("a\n")).toBe(false);
  });
});
