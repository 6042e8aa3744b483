/** Bad input gets a sentence: whatever the program hands over, the answer is a typed error with a code, and nothing is lost or half done. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Odradek, OpenOptions } from "../../src/api/index.ts";
import { bytes, json, memory, msgpack, open, utf8 } from "../../src/index.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { openLog, sendAll, temporaryDirectory, valuesIn } from "./support.ts";

const usage = (code: string): object => ({ name: "UsageError", code });
const odd = [null, undefined, 1, "x", [], true, Symbol("s"), () => {}, 10n, Number.NaN];

let log: Odradek;

beforeEach(async () => {
  log = await openLog(memory());
  await log.createTopic("orders", { partitions: 2 });
});

afterEach(async () => {
  await log.close();
  // Whatever a hostile object tried: the objects of the program are as they were.
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
});

describe("a record that cannot be", () => {
  it.each([-1, 99, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("partition %j is no partition of the topic", async (partition) => {
    const producer = log.producer();
    const at = { topic: "orders", partition };
    const consumer = log.consumer();
    for (const call of [
      () => producer.send({ ...at, value: 1 }),
      () => producer.sendBatch([{ ...at, value: 1 }]),
      () => log.read({ ...at, offset: 0 }),
      () => log.deleteRecords(at, 0),
      () => log.reopenPartition(at),
      () => consumer.assign([at]),
      () => consumer.watermarks(at),
      () => consumer.offsetForTime(at, 0),
      () => log.resetOffsets("g", "orders", [{ ...at, nextOffset: 0 }]),
    ]) {
      await expect(call(), String(call)).rejects.toMatchObject({
        name: "UsageError",
        code: expect.stringMatching(/^(UNKNOWN_TOPIC_OR_PARTITION|INVALID_ARGUMENT)$/),
      });
    }
  });

  it.each(["orders-0", null, 5, undefined])("%o is no place of a record", async (at) => {
    for (const call of [() => log.read(at as never), () => log.deleteRecords(at as never, 0), () => log.reopenPartition(at as never)])
      await expect((async () => call())(), String(call)).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
  });

  it.each(["0", null, {}, [0], true, 1n])("partition %o is not a number", async (partition) => {
    const producer = log.producer();
    const at = { topic: "orders", partition: partition as never };
    await expect(producer.send({ ...at, value: 1 })).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    await expect(log.read({ ...at, offset: 0 })).rejects.toMatchObject({ name: "UsageError" });
    await expect(log.deleteRecords(at, 0)).rejects.toMatchObject({ name: "UsageError" });
    await expect(log.reopenPartition(at)).rejects.toMatchObject({ name: "UsageError" });
    await expect(log.consumer().assign([at])).rejects.toMatchObject({ name: "UsageError" });
  });

  it.each([5, null, undefined, {}, Object.create(null), Symbol("x"), ["orders"]])("topic %o is no topic", async (topic) => {
    const at = { topic: topic as never, partition: 0 };
    for (const call of [
      () => log.describeTopic(at.topic),
      () => log.deleteTopic(at.topic),
      () => log.alterTopic(at.topic, {}),
      () => log.createPartitions(at.topic, 2),
      () => log.read({ ...at, offset: 0 }),
      () => log.deleteRecords(at, 0),
      () => log.resetOffsets("g", at.topic, "latest"),
      () => log.producer().send({ ...at, value: 1 }),
      () => log.consumer().assign([at]),
      () => log.consumer({ groupId: "g" }).subscribe([at.topic]),
    ]) {
      await expect(call(), String(call)).rejects.toMatchObject({ name: "UsageError" });
    }
  });

  it("of three megabytes is too large, says how large it may be, and stands in nobody's way", async () => {
    const producer = log.producer({ value: bytes });
    const value = new Uint8Array(3_000_000);
    const sends = [
      producer.send({ topic: "orders", partition: 0, value: Uint8Array.of(1) }),
      producer.send({ topic: "orders", partition: 0, value }),
      producer.send({ topic: "orders", partition: 0, value: Uint8Array.of(2) }),
    ];
    const [first, large, third] = await Promise.allSettled(sends);
    expect(large).toMatchObject({ status: "rejected", reason: { name: "UsageError", code: "MESSAGE_TOO_LARGE" } });
    expect((large as PromiseRejectedResult).reason.message).toMatch(/1048588 bytes.*maxMessageBytes.*found 3000\d{3}/s);
    expect([first, third]).toMatchObject([{ value: { offset: 0 } }, { value: { offset: 1 } }]);
    await log.alterTopic("orders", { maxMessageBytes: 4_000_000 });
    expect((await producer.send({ topic: "orders", partition: 0, value })).offset).toBe(2);
    expect((await log.read({ topic: "orders", partition: 0, offset: 2 }, { value: bytes }))?.value).toHaveLength(3_000_000);
  });

  const circular: unknown[] = [];
  circular.push(circular);
  it.each([
    ["undefined", json(), undefined, "UsageError"],
    ["undefined", msgpack(), undefined, "UsageError"],
    ["undefined", utf8, undefined, "UsageError"],
    ["a function", json(), () => {}, "SerdeError"],
    ["a symbol", json(), Symbol("s"), "SerdeError"],
    ["a bigint", json(), 10n, "SerdeError"],
    ["a nested bigint", json(), { a: [1n] }, "SerdeError"],
    ["a cycle", json(), circular, "SerdeError"],
    [
      "a toJSON that throws",
      json(),
      {
        toJSON: (): unknown => {
          throw new Error("no");
        },
      },
      "SerdeError",
    ],
    ["a toJSON that gives nothing", json(), { toJSON: (): unknown => undefined }, "SerdeError"],
    ["a cycle", msgpack(), circular, "SerdeError"],
    ["a symbol", msgpack(), Symbol("s"), "SerdeError"],
    ["a function", msgpack(), () => {}, "SerdeError"],
    ["a number", utf8, 7, "SerdeError"],
    ["an object", utf8, {}, "SerdeError"],
    ["a lone surrogate", utf8, "\ud800", "SerdeError"],
    ["a string", bytes, "x", "SerdeError"],
    ["an array", bytes, [1], "SerdeError"],
  ] as const)("%s does not become bytes, and nothing is appended (%#)", async (_, serde, value, name) => {
    const producer = log.producer({ value: serde as never });
    await expect(producer.send({ topic: "orders", partition: 0, value: value as never })).rejects.toMatchObject({
      name,
      code: name === "SerdeError" ? "SERIALIZATION_FAILED" : "INVALID_ARGUMENT",
    });
    await expect(producer.sendBatch([{ topic: "orders", partition: 0, value: value as never }])).rejects.toMatchObject({ name });
    expect((await log.describeTopic("orders")).partitions[0]?.logEndOffset).toBe(0);
  });

  it.each([-2, -1e20, 2 ** 53, 1e300, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("timestamp %d is refused", async (timestamp) => {
    const producer = log.producer();
    await expect(producer.send({ topic: "orders", value: 1, timestamp })).rejects.toMatchObject(usage("INVALID_TIMESTAMP"));
    await expect(log.consumer().offsetForTime({ topic: "orders", partition: 0 }, timestamp)).rejects.toMatchObject(
      usage("INVALID_ARGUMENT"),
    );
  });

  it.each([
    ["x", "array"],
    [[["a"]], "name, value"],
    [[[1, "x"]], "string as a name"],
    [[["a", 5]], "found 5"],
    [[["a", undefined]], "undefined"],
    [[null], "null"],
    [{ a: "b" }, "object"],
  ])("headers %j are refused", async (headers, told) => {
    const sending = log.producer().send({ topic: "orders", value: 1, headers: headers as never });
    await expect(sending).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    await expect(sending).rejects.toThrow(told);
  });

  it.each(odd)("a record %o is no record", async (record) => {
    const producer = log.producer();
    await expect(producer.send(record as never)).rejects.toMatchObject({ name: "UsageError" });
    await expect(producer.sendBatch([record as never])).rejects.toMatchObject({ name: "UsageError" });
    if (!Array.isArray(record)) await expect(producer.sendBatch(record as never)).rejects.toMatchObject({ name: "UsageError" });
  });

  it("a partitioner that answers nonsense is told so", async () => {
    for (const answer of [-1, 2, 1.5, "0", undefined, Number.NaN]) {
      const producer = log.producer({ partitioner: () => answer as number });
      await expect(producer.send({ topic: "orders", value: 1 }), String(answer)).rejects.toMatchObject({ name: "UsageError" });
    }
  });
});

describe("an offset out of range", () => {
  it('is an error with the legal range, when read before the start, cut beyond the end, or sought under "none"', async () => {
    await sendAll(log, "orders", [0, 1, 2, 3]);
    const at = { topic: "orders", partition: 0 };
    expect(await log.deleteRecords(at, 2)).toBe(2);
    const out = {
      name: "OffsetError",
      code: "OFFSET_OUT_OF_RANGE",
      range: { logStartOffset: 2, lastStableOffset: 4, highWatermark: 4, logEndOffset: 4 },
    };
    await expect(log.read({ ...at, offset: 1 })).rejects.toMatchObject(out);
    await expect(log.deleteRecords(at, 5)).rejects.toMatchObject(out);
    await expect(log.deleteRecords(at, 5)).rejects.toThrow(/found 5/);
    await expect(log.deleteRecords(at, 2 ** 53)).rejects.toMatchObject({ name: expect.stringMatching(/OffsetError|UsageError/) });
    const consumer = log.consumer({ autoOffsetReset: "none" });
    await consumer.assign([at]);
    for (const offset of [1, 99]) {
      consumer.seek(at, offset);
      await expect(consumer.poll({ timeoutMs: 0 })).rejects.toMatchObject(out);
    }
    expect(await valuesIn(log, "orders")).toEqual([2, 3]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53, "0", null, undefined, 1n])("%o is no offset", async (offset) => {
    await sendAll(log, "orders", [0, 1]);
    const at = { topic: "orders", partition: 0 };
    const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
    await consumer.assign([at]);
    await expect(log.read({ ...at, offset: offset as never })).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    await expect(log.deleteRecords(at, offset as never)).rejects.toMatchObject({ name: expect.stringMatching(/OffsetError|UsageError/) });
    expect(() => consumer.seek(at, offset as never)).toThrow(expect.objectContaining(usage("INVALID_ARGUMENT")));
    await expect(consumer.commit([{ ...at, nextOffset: offset as never }])).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    await expect(log.resetOffsets("h", "orders", [{ ...at, nextOffset: offset as never }])).rejects.toMatchObject(
      usage("INVALID_ARGUMENT"),
    );
    expect((await log.describeTopic("orders")).partitions[0]?.logStartOffset).toBe(0);
    expect(await consumer.committed(at)).toBeNull();
  });

  it("is not what a group is reset to, nor is nonsense", async () => {
    await sendAll(log, "orders", [0, 1]);
    await expect(log.resetOffsets("g", "orders", [{ topic: "audit", partition: 0, nextOffset: 0 }])).rejects.toMatchObject(
      usage("INVALID_ARGUMENT"),
    );
    await expect(log.resetOffsets("g", "orders", "sideways" as never)).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    for (const to of [null, undefined, {}, { timestamp: "x" }, { timestamp: Number.NaN }, [null], [{}]]) {
      await expect(log.resetOffsets("g", "orders", to as never), JSON.stringify(to)).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    }
  });
});

describe("options that are not", () => {
  const doors: readonly (readonly [string, (options: never) => unknown])[] = [
    ["open", (options) => open({ ...(options as object), storage: memory() } as never)],
    ["producer", (options) => log.producer(options)],
    ["consumer", (options) => log.consumer(options)],
    ["poll", (options) => log.consumer().poll(options)],
    ["records", (options) => log.consumer().records(options)],
    ["batches", (options) => log.consumer().batches(options)],
    ["deleteTopic", (options) => log.deleteTopic("orders", options)],
    ["maintain", (options) => log.maintain(options)],
    ["read", (options) => log.read({ topic: "orders", partition: 0, offset: 0 }, options)],
    ["adoptTopic", (options) => log.adoptTopic("orders", options)],
  ];
  const rejection = async (call: () => unknown): Promise<unknown> => {
    try {
      return await call();
    } catch (error) {
      return error;
    }
  };

  it.each(doors)("%s refuses an unknown one", async (_, door) => {
    expect(await rejection(() => door({ nonesuch: 1 } as never))).toMatchObject(usage("UNKNOWN_CONFIG"));
  });

  it.each(doors)("%s refuses what is no object, and a hostile prototype", async (name, door) => {
    for (const options of [5, "x", true]) {
      if (name !== "open") expect(await rejection(() => door(options as never)), String(options)).toMatchObject({ name: "UsageError" });
    }
    const hostile = JSON.parse('{"__proto__": {"polluted": true}}');
    expect(await rejection(() => door(hostile as never))).toMatchObject({ name: "UsageError" });
  });

  it.each([
    [{ acks: 2 }, "acks"],
    [{ acks: "1" }, "acks"],
    [{ lingerMs: -1 }, "lingerMs"],
    [{ batchSize: Number.NaN }, "batchSize"],
    [{ bufferMemory: "1" }, "bufferMemory"],
    [{ partitioner: "murmur2" }, "partitioner"],
    [{ value: {} }, "value"],
    [{ key: "utf8" }, "key"],
    [{ compressionType: "rar" }, "compressionType"],
    [{ lingerms: 5 }, "lingerMs"],
  ])("of a producer: %j", (options, told) => {
    const make = (): unknown => log.producer(options as never);
    expect(make).toThrow(expect.objectContaining({ name: "UsageError" }));
    expect(make).toThrow(told);
  });

  it.each([
    [{ groupId: "" }, "groupId"],
    [{ groupId: 5 }, "groupId"],
    [{ autoOffsetReset: "newest" }, "earliest"],
    [{ maxPollRecords: 0 }, "maxPollRecords"],
    [{ fetchMaxBytes: -1 }, "fetchMaxBytes"],
    [{ signal: {} }, "AbortSignal"],
    [{ onDeserializeError: "ignore" }, "onDeserializeError"],
    [{ partitionAssignmentStrategy: "random" }, "partitionAssignmentStrategy"],
    [{ groupid: "x" }, "groupId"],
  ])("of a consumer: %j", (options, told) => {
    const make = (): unknown => log.consumer(options as never);
    expect(make).toThrow(expect.objectContaining({ name: "UsageError" }));
    expect(make).toThrow(told);
  });

  it.each([
    [{ offsetsFlushMs: -1 }],
    [{ lock: "file" }],
    [{ readOnly: "yes" }],
    [{ storage: {} }],
    [{ logger: {} }],
    [{ onEvent: 5 }],
    [{ signal: 5 }],
    [{ maxUnflushedBytes: 1 }],
    [{ topicDefaults: { retentionMs: "x" } }],
    [{ wasm: 5 }],
  ])("of open: %j", async (options) => {
    await expect(open({ storage: memory(), ...options } as OpenOptions & { storage: ReturnType<typeof memory> })).rejects.toMatchObject({
      name: "UsageError",
    });
  });

  it.each([[undefined], [null], [""], [5], ["a\0b"], [new URL("https://example.com/x")]])("of open: path %j", async (path) => {
    await expect(open(path as never)).rejects.toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
  });

  it("attach, which is not there yet, says so", async () => {
    await expect(open({ storage: memory(), attach: true })).rejects.toMatchObject(usage("UNSUPPORTED_VERSION"));
  });

  it.each([[undefined], [null], [""], [5], [{}], [["orders"]], ["nowhere"]])("of table: topic %j", async (topic) => {
    await expect(log.table(topic as never)).rejects.toMatchObject({ name: "UsageError" });
  });

  it.each([[5], [null], [{ key: 5 }], [{ value: {} }], [{ keys: 1 }]])("of table: %j", async (options) => {
    await expect(log.table("orders", options as never)).rejects.toMatchObject({ name: "UsageError" });
  });

  it.each([
    ["", {}],
    [5, {}],
    [undefined, {}],
    ["a", null],
    ["a", undefined],
    ["a", { producerByteRate: 0 }],
    ["a", { consumerByteRate: "1" }],
    ["a", { requestPercentage: Number.POSITIVE_INFINITY }],
    ["a", { byteRate: 5 }],
  ])("of alterClientQuotas: %j, %j", async (clientId, quota) => {
    await expect(log.alterClientQuotas(clientId as never, quota as never)).rejects.toMatchObject({ name: "UsageError" });
    expect(await log.describeClientQuotas()).toEqual([]);
  });
});

describe("hostile keys", () => {
  it.each([
    ["json", json()],
    ["msgpack", msgpack()],
  ])("in %s values are data: what was sent comes back, and no prototype changes", async (_, serde) => {
    const hostile = JSON.parse(
      '{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "a": {"__proto__": {"polluted": 1}}}',
    );
    const producer = log.producer({ value: serde });
    const sent = await producer.send({
      topic: "orders",
      partition: 0,
      key: "__proto__",
      value: hostile,
      headers: [
        ["__proto__", "x"],
        ["constructor", null],
      ],
    });
    const record = await log.read({ topic: "orders", partition: 0, offset: sent.offset }, { value: serde });
    const value = record?.value as Record<string, unknown>;
    expect(record?.key).toBe("__proto__");
    expect(record?.headers.map(([name]) => name)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect((value as { polluted?: unknown }).polluted).toBeUndefined();
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([5, null, undefined, {}, "", "x".repeat(40_000)])("a group id %o is none", async (groupId) => {
    for (const call of [
      () => log.describeGroup(groupId as never),
      () => log.deleteGroup(groupId as never),
      () => log.resetOffsets(groupId as never, "orders", "latest"),
    ]) {
      await expect(call()).rejects.toMatchObject(usage("INVALID_GROUP_ID"));
    }
    expect(await log.listGroups()).toEqual([]);
  });

  it("in group names are names", async () => {
    await sendAll(log, "orders", [1]);
    for (const groupId of ["__proto__", "constructor", "hasOwnProperty"]) {
      await expect(log.describeGroup(groupId)).rejects.toMatchObject({ name: "GroupError", code: "GROUP_ID_NOT_FOUND" });
      await log.resetOffsets(groupId, "orders", "latest");
      expect((await log.describeGroup(groupId)).offsets[0]).toMatchObject({ topic: "orders", partition: 0, nextOffset: 1 });
    }
    expect(await log.listGroups()).toEqual(["__proto__", "constructor", "hasOwnProperty"]);
  });
});

describe("calls after close", () => {
  it("are refused: of the log, its producers and its consumers", async () => {
    const producer = log.producer();
    const consumer = log.consumer({ groupId: "g" });
    const iterator = consumer.records();
    await log.close();
    await log.close();
    for (const call of [
      () => log.createTopic("x"),
      () => log.deleteTopic("orders"),
      () => log.listTopics(),
      () => log.describeTopic("orders"),
      () => log.alterTopic("orders", {}),
      () => log.adoptTopic("orders", { partitions: 1, cleanupPolicy: "delete" }),
      () => log.createPartitions("orders", 5),
      () => log.deleteRecords({ topic: "orders", partition: 0 }, 0),
      () => log.table("orders"),
      () => log.read({ topic: "orders", partition: 0, offset: 0 }),
      () => log.reopenPartition({ topic: "orders", partition: 0 }),
      () => log.backup(temporaryDirectory()),
      () => log.listGroups(),
      () => log.describeGroup("g"),
      () => log.deleteGroup("g"),
      () => log.resetOffsets("g", "orders", "latest"),
      () => log.maintain(),
      () => log.alterClientQuotas(null, {}),
      () => log.describeClientQuotas(),
    ]) {
      await expect(call(), String(call)).rejects.toMatchObject(usage("LOG_CLOSED"));
    }
    expect(() => log.producer()).toThrow(expect.objectContaining(usage("LOG_CLOSED")));
    expect(() => log.consumer()).toThrow(expect.objectContaining(usage("LOG_CLOSED")));
    await expect(producer.send({ topic: "orders", value: 1 })).rejects.toMatchObject(usage("PRODUCER_CLOSED"));
    const at = { topic: "orders", partition: 0 };
    for (const call of [
      () => consumer.subscribe(["orders"]),
      () => consumer.assign([at]),
      () => consumer.poll(),
      () => consumer.commit(),
      () => consumer.committed(at),
      () => consumer.position(at),
      () => consumer.watermarks(at),
      () => consumer.offsetForTime(at, 0),
      () => consumer.lag(at),
      () => iterator.next(),
      () => consumer.records().next(),
    ]) {
      await expect(call(), String(call)).rejects.toMatchObject(usage("CONSUMER_CLOSED"));
    }
    for (const call of [() => consumer.seek(at, 0), () => consumer.pause(), () => consumer.resume()]) {
      expect(call).toThrow(expect.objectContaining(usage("CONSUMER_CLOSED")));
    }
  });

  it("metrics are told to the last", async () => {
    await log.close();
    expect(log.metrics()).toMatchObject({ topics: 1 });
  });
});

describe("two at once", () => {
  it("an iteration beside a poll or another iteration is refused, and the first goes on", async () => {
    await sendAll(log, "orders", [1, 2, 3]);
    const consumer = log.consumer();
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    const first = consumer.records();
    expect((await first.next()).value).toMatchObject({ value: 1 });
    await expect(consumer.records().next()).rejects.toMatchObject(usage("CONCURRENT_CALL"));
    await expect(consumer.batches().next()).rejects.toMatchObject(usage("CONCURRENT_CALL"));
    await expect(consumer.poll()).rejects.toMatchObject(usage("CONCURRENT_CALL"));
    expect((await first.next()).value).toMatchObject({ value: 2 });
    await first.return?.();
    expect((await consumer.poll({ timeoutMs: 0 }))[0]).toMatchObject({ value: 2 });
  });
});

describe("a directory that cannot be one", () => {
  it("is a file: NOT_A_DIRECTORY, and the file stays", async () => {
    const path = join(temporaryDirectory(), "data");
    writeFileSync(path, "precious");
    for (const options of [{}, { readOnly: true }]) {
      await expect(open(path, options)).rejects.toMatchObject({ name: "StorageError", code: "NOT_A_DIRECTORY" });
      await expect(open(join(path, "below"), options)).rejects.toMatchObject({ name: "StorageError", code: "NOT_A_DIRECTORY" });
    }
  });

  it("has a file where a partition's directory belongs: the partition fails, by name, and the rest opens", async () => {
    const path = temporaryDirectory();
    const first = await openLog(path);
    await first.createTopic("orders", { partitions: 2 });
    await first.close();
    const storage = nodeStorage(path);
    await storage.renameDirectory("orders-1", "aside");
    writeFileSync(join(path, "orders-1"), "");
    mkdirSync(join(path, "orders-0", "lost+found"));
    const again = await openLog(path);
    expect(await sendAll(again, "orders", [1])).toBe(0);
    await expect(again.read({ topic: "orders", partition: 1, offset: 0 })).rejects.toMatchObject({ name: "StorageError" });
  });
});
