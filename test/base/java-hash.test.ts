/** Which of fifty partitions keeps an id: Java's hash of it, as Kafka's brokers and tools compute it. */
import { describe, expect, it } from "vitest";
import { coordinatorPartition, javaHash } from "../../src/base/java-hash.ts";

describe("the hash of a text", () => {
  // Known answers of java.lang.String.hashCode.
  it.each([
    ["", 0, 0],
    ["a", 97, 47],
    ["ab", 97 * 31 + 98, 5],
    ["ba", 98 * 31 + 97, 35],
    ["2", 50, 0],
    ["1", 49, 49],
    ["my-group", -1_906_497_762, 12],
    ["console-consumer-1", 35_782_224, 24],
    ["txn-1", 110_810_510, 10],
    // Two UTF-16 units each: 0xd83d and 0xde00, 31 times the first and the second.
    ["😀", 0xd83d * 31 + 0xde00, 49],
    ["polygenelubricants", -(2 ** 31), 0],
  ])("%j is Java's, and so is its partition", (text, hash, partition) => {
    expect(javaHash(text)).toBe(hash);
    expect(coordinatorPartition(text)).toBe(partition);
  });
});
