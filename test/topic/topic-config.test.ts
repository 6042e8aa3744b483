import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TopicConfig } from "../../src/api/topic.ts";
import { UsageError } from "../../src/base/errors.ts";
import { CONFIG_NAMES, configTable, resolveConfig, validateConfig } from "../../src/topic/topic-config.ts";

function refusal(given: unknown): UsageError {
  try {
    validateConfig(given as Partial<TopicConfig>);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(given)} was accepted`);
}

const INT64_MAX = Number(9_223_372_036_854_775_807n);

/** Of each setting: values at and inside the limits, values just outside. */
const LIMITS: { readonly [P in keyof TopicConfig]: { readonly legal: readonly TopicConfig[P][]; readonly wrong: readonly unknown[] } } = {
  cleanupPolicy: { legal: ["delete", "compact", "compact,delete"], wrong: ["", "DELETE", "delete,compact", ["delete"], "none"] },
  compressionType: { legal: ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"], wrong: ["none", "GZIP", 1] },
  durability: { legal: ["sync", "os"], wrong: ["power", "none", true] },
  retentionMs: { legal: [0, 1, Number.POSITIVE_INFINITY], wrong: [-2, 0.5, Number.NaN, "1", 2 ** 53, -Number.MAX_VALUE] },
  retentionBytes: { legal: [0, 2 ** 53 - 1, Number.POSITIVE_INFINITY], wrong: [-2, 1n] },
  deleteRetentionMs: { legal: [0, Number.POSITIVE_INFINITY], wrong: [-1] },
  segmentBytes: { legal: [14, 2 ** 31 - 1], wrong: [13, 2 ** 31, Number.POSITIVE_INFINITY, INT64_MAX] },
  segmentMs: { legal: [1, Number.POSITIVE_INFINITY], wrong: [0, -1] },
  segmentIndexBytes: { legal: [4, 2 ** 31 - 1], wrong: [3, 2 ** 31] },
  indexIntervalBytes: { legal: [0, 2 ** 31 - 1], wrong: [-1, 2 ** 31] },
  maxMessageBytes: { legal: [0, 2 ** 31 - 1], wrong: [-1, 2 ** 31] },
  messageTimestampType: { legal: ["CreateTime", "LogAppendTime"], wrong: ["createTime", 0] },
  minCleanableDirtyRatio: { legal: [0, 0.5, 1], wrong: [-0.01, 1.01, Number.NaN, "0.5"] },
  minCompactionLagMs: { legal: [0, Number.POSITIVE_INFINITY], wrong: [-1] },
  maxCompactionLagMs: { legal: [1, Number.POSITIVE_INFINITY], wrong: [0] },
  flushMessages: { legal: [1, Number.POSITIVE_INFINITY], wrong: [0] },
  flushMs: { legal: [0, Number.POSITIVE_INFINITY], wrong: [-1] },
  preallocate: { legal: [true, false], wrong: ["true", 0] },
};

describe("a topic's settings", () => {
  it("are Kafka 4's where none is given", () => {
    expect(resolveConfig({}, {})).toEqual({
      cleanupPolicy: "delete",
      compressionType: "producer",
      durability: "sync",
      retentionMs: 604_800_000,
      retentionBytes: Number.POSITIVE_INFINITY,
      deleteRetentionMs: 86_400_000,
      segmentBytes: 1_073_741_824,
      segmentMs: 604_800_000,
      segmentIndexBytes: 10_485_760,
      indexIntervalBytes: 4096,
      maxMessageBytes: 1_048_588,
      messageTimestampType: "CreateTime",
      minCleanableDirtyRatio: 0.5,
      minCompactionLagMs: 0,
      maxCompactionLagMs: Number.POSITIVE_INFINITY,
      flushMessages: Number.POSITIVE_INFINITY,
      flushMs: Number.POSITIVE_INFINITY,
      preallocate: false,
    });
  });

  it("are taken at their limits, and refused beyond with a sentence that names setting, range and value", () => {
    for (const name of CONFIG_NAMES) {
      for (const value of LIMITS[name].legal) expect(validateConfig({ [name]: value })).toEqual({ [name]: value });
      for (const value of [...LIMITS[name].wrong, null, {}, () => 1, Symbol("x")]) {
        const error = refusal({ [name]: value });
        expect(error.code).toBe("INVALID_CONFIG");
        expect(error.message).toMatch(new RegExp(`${name}: expected .*, found `));
      }
    }
  });

  it("take Kafka's two ways to say without end for Infinity, and -0 for 0", () => {
    expect(validateConfig({ retentionMs: -1, retentionBytes: -1, flushMs: INT64_MAX })).toEqual({
      retentionMs: Number.POSITIVE_INFINITY,
      retentionBytes: Number.POSITIVE_INFINITY,
      flushMs: Number.POSITIVE_INFINITY,
    });
    expect(Object.is(validateConfig({ flushMs: -0, indexIntervalBytes: -0 }).indexIntervalBytes, 0)).toBe(true);
  });

  it("go by the topic's own, then the log's defaults, then Kafka's; undefined is not given", () => {
    const any = fc.record(
      Object.fromEntries(CONFIG_NAMES.map((name) => [name, fc.constantFrom(...(LIMITS[name].legal as readonly unknown[]), undefined)])),
      { requiredKeys: [] },
    ) as fc.Arbitrary<Partial<TopicConfig>>;
    fc.assert(
      fc.property(any, any, (own, defaults) => {
        const ratio = (config: Partial<TopicConfig>): boolean =>
          (config.minCompactionLagMs ?? 0) <= (config.maxCompactionLagMs ?? Number.POSITIVE_INFINITY);
        fc.pre(ratio(own) && ratio(defaults));
        const resolved = resolveConfig(validateConfig(own), validateConfig(defaults));
        for (const name of CONFIG_NAMES) expect(resolved[name]).toBe(own[name] ?? defaults[name] ?? resolveConfig({})[name]);
        expect(Object.isFrozen(resolved)).toBe(true);
        expect(Object.keys(resolved)).toEqual(CONFIG_NAMES);
      }),
    );
  });

  it("are none where nothing is given", () => {
    expect(Object.keys(validateConfig(undefined))).toEqual([]);
  });

  it("of an unknown name are refused, with the one that was meant", () => {
    for (const [name, meant] of [
      ["retentionMS", "retentionMs"],
      ["retention.ms", "retentionMs"],
      ["retention_ms", "retentionMs"],
      ["retetnionMs", "retentionMs"],
      ["max.message.bytes", "maxMessageBytes"],
      ["min.cleanable.dirty.ratio", "minCleanableDirtyRatio"],
      ["compression", "compressionType"],
    ] as const) {
      const error = refusal({ [name]: 1 });
      expect(error.code).toBe("UNKNOWN_CONFIG");
      if (name !== "compression") expect(error.message).toContain(`did you mean ${meant}?`);
    }
    expect(refusal({ zzz: 1 }).message).toContain("retentionMs, retentionBytes");
    expect(refusal({ replicationFactor: undefined }).code).toBe("UNKNOWN_CONFIG");
  });

  it("from hostile objects are unknown names or plain errors, and pollute nothing", () => {
    for (const text of [
      '{"__proto__":{"retentionMs":1}}',
      '{"constructor":1}',
      '{"toString":1}',
      '{"hasOwnProperty":true}',
      '{"__defineGetter__":1}',
    ]) {
      expect(refusal(JSON.parse(text)).code).toBe("UNKNOWN_CONFIG");
    }
    expect(({} as { retentionMs?: unknown }).retentionMs).toBeUndefined();
    const inherited = Object.create({ retentionMs: 5 }) as Partial<TopicConfig>;
    expect(Object.keys(validateConfig(inherited))).toEqual([]);
    expect(resolveConfig(inherited).retentionMs).toBe(604_800_000);
    let reads = 0;
    const twoFaced = {
      get retentionMs(): number {
        reads += 1;
        return reads === 1 ? 5 : -5;
      },
    };
    expect(validateConfig(twoFaced)).toEqual({ retentionMs: 5 });
    const throwing = {
      get retentionMs(): number {
        throw new Error("no");
      },
    };
    expect(refusal(throwing).code).toBe("INVALID_CONFIG");
    for (const given of [
      null,
      7,
      "delete",
      [],
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error("no");
          },
        },
      ),
    ])
      expect(refusal(given).code).toBe("INVALID_CONFIG");
    expect(refusal(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]))).code).toBe("INVALID_CONFIG");
    expect(Object.getPrototypeOf(validateConfig({ flushMs: 1 }))).toBeNull();
  });

  it("that contradict each other are refused, as Kafka refuses them", () => {
    expect(refusal({ minCompactionLagMs: 11, maxCompactionLagMs: 10 }).code).toBe("INVALID_CONFIG");
    expect(validateConfig({ minCompactionLagMs: 10, maxCompactionLagMs: 10 })).toEqual({ minCompactionLagMs: 10, maxCompactionLagMs: 10 });
  });

  it("stand in one table, each with Kafka's dotted name of ours, a legal default and a sentence", () => {
    const rows = configTable();
    expect(rows.map((row) => row.name)).toEqual(Object.keys(LIMITS));
    for (const { name, kafkaName, defaultValue, legal, meaning, type } of rows) {
      const dotted = name.replace(/[A-Z]/g, (letter) => `.${letter.toLowerCase()}`);
      expect(kafkaName).toBe(name === "durability" ? null : dotted);
      expect(validateConfig({ [name]: defaultValue })).toEqual({ [name]: defaultValue });
      expect(typeof defaultValue).toBe(type);
      expect(legal).not.toBe("");
      expect(meaning).toMatch(/^[`A-Z].*\.$/);
    }
  });
});
