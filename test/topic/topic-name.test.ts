import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { isTopicName, parsePartitionDirectoryName, partitionDirectoryName } from "../../src/log/files/file-names.ts";
import { checkNewTopicName } from "../../src/topic/topic-name.ts";

function refusal(name: unknown, existing: readonly string[] = []): string | null {
  try {
    checkNewTopicName(name as string, existing);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).code).toBe("INVALID_TOPIC_EXCEPTION");
    return (error as UsageError).message;
  }
}

describe("a new topic's name", () => {
  it("is legal for Kafka whenever it passes, and its directories are found again", () => {
    const near = fc.oneof(fc.string({ maxLength: 260 }), fc.stringMatching(/^[a-zA-Z0-9._-]{1,250}$/), fc.stringMatching(/^[._-]{1,4}$/));
    fc.assert(
      fc.property(near, fc.nat({ max: 99_999 }), (name, partition) => {
        if (refusal(name) !== null) return;
        expect(isTopicName(name)).toBe(true);
        const directory = partitionDirectoryName(name, partition);
        expect(directory.length).toBeLessThanOrEqual(255);
        expect(parsePartitionDirectoryName(directory)).toEqual({ topic: name, partition, suffix: "" });
      }),
      { numRuns: 500 },
    );
  });

  it("may be any ordinary one", () => {
    for (const name of [
      "a",
      "orders",
      "orders.eu-west_1",
      "-",
      "_",
      "0",
      "...a",
      "a".repeat(249),
      "console",
      "com",
      "com10",
      "nul1",
      "aux-x",
      "__proto__",
      "constructor",
      "__consumer_offsets",
    ]) {
      expect(refusal(name), name).toBeNull();
    }
  });

  it("is refused in a sentence that says why", () => {
    for (const [name, why] of [
      ["", /at least one/],
      [".", /directory/],
      ["..", /directory/],
      ["a".repeat(250), /249 characters, found 250/],
      ["a b", /found " "/],
      ["a/b", /found "\/"/],
      ["a\\b", /found/],
      ["bücher", /found "ü"/],
      ["a\0", /found/],
      ["a\n", /found "\\n"/],
      ["😀", /found "😀"/],
      ["CON", /Windows/],
      ["con", /Windows/],
      ["nul.log", /Windows/],
      ["LpT9.a.b", /Windows/],
      ["com1", /Windows/],
      ["orders.", /dot/],
      ["__cluster_metadata", /broker/],
      [null, /found null/],
      [undefined, /found undefined/],
      [7, /found number/],
      [["a"], /found object/],
    ] as const) {
      expect(refusal(name), String(name)).toMatch(why);
    }
  });

  it("is refused beside a topic that a file system or Kafka's metrics would take for the same, and says which", () => {
    for (const [name, existing] of [
      ["Orders", "orders"],
      ["a.b", "a_b"],
      ["a_b", "a.b"],
      ["A.b", "a_B"],
    ] as const) {
      expect(refusal(name, ["x", existing, "y"])).toContain(`"${existing}"`);
    }
    expect(refusal("orders", ["order", "orders2", "ord-ers", "ord.ers"])).toBeNull();
    expect(refusal("orders", ["orders"])).toBeNull(); // that it exists is another error, told elsewhere
  });
});
