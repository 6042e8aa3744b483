/** What each setting of a topic takes, told in the sentence that refuses it, to the last number on either side. */
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { configTable, isConfigName, resolveConfig, validateConfig } from "../../src/topic/topic-config.ts";

const ENDLESS = Number.POSITIVE_INFINITY;
const INT64_MAX = Number(9_223_372_036_854_775_807n);
const refusal = (code: string, message: string | RegExp) =>
  expect.objectContaining({ name: "UsageError", code, message: typeof message === "string" ? message : expect.stringMatching(message) });
const check = (given: unknown) => () => validateConfig(given as Partial<TopicConfig>);

describe("a setting", () => {
  // Kafka's minima; those with `endless` take -1 for Infinity, the others refuse it.
  it.each([
    ["retentionMs", 0, true],
    ["retentionBytes", 0, true],
    ["deleteRetentionMs", 0, false],
    ["segmentMs", 1, false],
    ["minCompactionLagMs", 0, false],
    ["maxCompactionLagMs", 1, false],
    ["flushMessages", 1, false],
    ["flushMs", 0, false],
  ] as const)("%s is a whole number from %d to 2^53-1, or Infinity; -1 is Infinity: %s", (name, least, minusOneIsEndless) => {
    for (const value of [least, 2 ** 53 - 1, ENDLESS]) expect(check({ [name]: value })()[name]).toBe(value);
    expect(check({ [name]: INT64_MAX })()[name]).toBe(ENDLESS);
    if (minusOneIsEndless) expect(check({ [name]: -1 })()[name]).toBe(ENDLESS);
    const wrong = [least - (minusOneIsEndless ? 2 : 1), least + 0.5, 2 ** 53, INT64_MAX * 2, -ENDLESS, -INT64_MAX];
    for (const value of wrong)
      expect(check({ [name]: value })).toThrow(
        refusal(
          "INVALID_CONFIG",
          `topic configuration: ${name}: expected a whole number from ${least} to 2^53-1, or Infinity, found ${value}`,
        ),
      );
  });

  it.each([
    ["segmentBytes", 14],
    ["segmentIndexBytes", 4],
    ["indexIntervalBytes", 0],
    ["maxMessageBytes", 0],
  ] as const)("%s is a whole number from %d to 2^31-1, and never without end", (name, least) => {
    for (const value of [least, 2 ** 31 - 1]) expect(check({ [name]: value })()[name]).toBe(value);
    for (const value of [least - 1, least + 0.5, 2 ** 31, ENDLESS, INT64_MAX, -2])
      expect(check({ [name]: value })).toThrow(
        refusal("INVALID_CONFIG", `topic configuration: ${name}: expected a whole number from ${least} to 2147483647, found ${value}`),
      );
  });

  it.each([
    ["cleanupPolicy", 'one of "delete", "compact", "compact,delete"', "none"],
    ["compressionType", 'one of "producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"', "none"],
    ["durability", 'one of "sync", "os"', "memory"],
    ["messageTimestampType", 'one of "CreateTime", "LogAppendTime"', "logAppendTime"],
    ["minCleanableDirtyRatio", "a number from 0 to 1", "0.5"],
    ["preallocate", "true or false", "true"],
  ] as const)("%s is %s", (name, legal, wrong) => {
    expect(check({ [name]: wrong })).toThrow(
      refusal("INVALID_CONFIG", `topic configuration: ${name}: expected ${legal}, found ${JSON.stringify(wrong)}`),
    );
  });

  it.each(configTable().filter(({ kafkaName }) => kafkaName !== null))(
    "by Kafka's name $kafkaName is not there, and $name is meant",
    ({ name, kafkaName }) => {
      if (name === kafkaName) return expect(isConfigName(name)).toBe(true);
      expect(isConfigName(kafkaName as string)).toBe(false);
      expect(check({ [kafkaName as string]: 1 })).toThrow(
        refusal("UNKNOWN_CONFIG", `topic configuration: there is no setting "${kafkaName}"; did you mean ${name}?`),
      );
    },
  );

  it("that is undefined is left out of what is kept, and of a name that is not there is refused all the same", () => {
    expect(Object.keys(check({ flushMs: undefined, preallocate: false })())).toEqual(["preallocate"]);
    expect(check({ toString: undefined })).toThrow(refusal("UNKNOWN_CONFIG", /"toString"/));
    expect(check({ ["x".repeat(80)]: 1 })).toThrow(
      refusal("UNKNOWN_CONFIG", /a string of 80 characters; the settings are cleanupPolicy, /),
    );
  });
});

describe("a topic's settings", () => {
  const many = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, at) => [`name${at}`, undefined]));

  it("are walked to their end when they are 256, and not begun when they are more", () => {
    expect(check(many(256))).toThrow(refusal("UNKNOWN_CONFIG", /"name0"/));
    expect(check(many(257))).toThrow(refusal("INVALID_CONFIG", "topic configuration: expected at most 256 settings, found 257"));
  });

  it("are an object, and not something that says it is one", () => {
    const method = (): void => {};
    for (const [given, found] of [
      [null, "null"],
      ["compact", '"compact"'],
      [[{}], "an array of 1"],
      [method, "a function"],
      [7, "7"],
    ])
      expect(check(given)).toThrow(refusal("INVALID_CONFIG", `topic configuration: expected an object, found ${found}`));
    const cause = new Error("no");
    const throwing = {
      get flushMs(): never {
        throw cause;
      },
    };
    expect(check(throwing)).toThrow(expect.objectContaining({ code: "INVALID_CONFIG", cause }));
  });

  it.each([
    [5, 5, true],
    [5, ENDLESS, true],
    [ENDLESS, ENDLESS, true],
    [0, 1, true],
    [6, 5, false],
    [ENDLESS, 5, false],
  ])("may hold back from compaction for %d ms and wait for it %d ms: %s", (minCompactionLagMs, maxCompactionLagMs, isLegal) => {
    const given = { minCompactionLagMs, maxCompactionLagMs };
    if (isLegal) expect({ ...check(given)() }).toEqual(given);
    else expect(check(given)).toThrow(refusal("INVALID_CONFIG", new RegExp(`found ${minCompactionLagMs} and ${maxCompactionLagMs}$`)));
    // One of them alone contradicts nothing that was given.
    expect({ ...check({ minCompactionLagMs })() }).toEqual({ minCompactionLagMs });
    expect({ ...check({ maxCompactionLagMs })() }).toEqual({ maxCompactionLagMs });
  });

  it("of the topic's own stand before the log's, also where they are 0 or false", () => {
    const own = { flushMs: 0, preallocate: false, indexIntervalBytes: 0, minCleanableDirtyRatio: 0 };
    const config = resolveConfig(own, {
      flushMs: 9,
      preallocate: true,
      indexIntervalBytes: 9,
      minCleanableDirtyRatio: 1,
      maxMessageBytes: 0,
    });
    expect(config).toMatchObject({ ...own, maxMessageBytes: 0 });
    expect(resolveConfig({})).toEqual(resolveConfig({}, {}));
  });
});
