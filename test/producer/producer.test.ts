import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Acks, HeaderInput } from "../../src/api/bytes.ts";
import type { ProducerRecord } from "../../src/api/producer.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type OdradekError, SendBatchError, SerdeError, StorageError, UsageError } from "../../src/base/errors.ts";
import { bytes, json, utf8 } from "../../src/base/serde.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal } from "./world.ts";

interface Vector {
  readonly inputHex: string;
  readonly hash: number;
  readonly partitionOf12: number;
}
const vectors = JSON.parse(readFileSync(new URL("../fixtures/vectors/vectors.json", import.meta.url), "utf8")) as {
  readonly murmur2: readonly Vector[];
};

describe("send", () => {
  it("appends a record and tells where", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const answer = await producer().send({
      topic: "orders",
      key: "k",
      value: "v",
      headers: [
        ["a", "text"],
        ["a", null],
        ["", new Uint8Array([1])],
      ],
      timestamp: 5,
    });
    expect(answer).toStrictEqual({ topic: "orders", partition: 0, offset: 0, timestamp: 5, durability: "power" });
    const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
    expect(broker.records("orders")).toStrictEqual([
      {
        offset: 0,
        timestamp: 5,
        key: encode("k"),
        value: encode("v"),
        headers: [
          ["a", encode("text")],
          ["a", null],
          ["", new Uint8Array([1])],
        ],
      },
    ]);
  });

  it("takes the clock's time when none is given, and tells the log's where the log stamps its own", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    expect((await sender.send({ topic: "orders", value: "v" })).timestamp).toBe(clock.now());
    expect((await sender.send({ topic: "orders", value: "v", timestamp: -1 })).timestamp).toBe(-1);
    broker.logAppendTime = 77;
    expect((await sender.send({ topic: "orders", value: "v" })).timestamp).toBe(77);
    expect((await sender.sendBatch([{ topic: "orders", value: "v" }]))[0]?.timestamp).toBe(77);
  });

  it("puts sends of one turn into one batch, continuations a few awaits deep included", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer({ clientId: "c" });
    await sender.send({ topic: "orders", value: "first" });
    broker.batches.length = 0;
    await Promise.all(
      [1, 2, 3].map(async (i) => {
        await null;
        if (i > 1) await null;
        return sender.send({ topic: "orders", value: String(i) });
      }),
    );
    expect(broker.batches).toMatchObject([{ recordCount: 3, clientId: "c", acks: "all" }]);
  });

  it("lingers for lingerMs, unless the batch is full, a flush comes, or a sendBatch to the same partition", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer({ lingerMs: 100, batchSize: 200 });
    const answers: Promise<unknown>[] = [sender.send({ topic: "orders", value: "a" })];
    await settled();
    expect(broker.batches).toHaveLength(0);
    await clock.advance(99);
    answers.push(sender.send({ topic: "orders", value: "b" }));
    expect(broker.batches).toHaveLength(0);
    await clock.advance(1);
    expect(broker.batches).toMatchObject([{ recordCount: 2 }]);
    for (let i = 0; i < 4; i += 1) answers.push(sender.send({ topic: "orders", value: "x".repeat(40) }));
    expect(broker.batches.length).toBeGreaterThan(1);
    await sender.flush();
    answers.push(sender.send({ topic: "orders", value: "before" }), sender.sendBatch([{ topic: "orders", value: "after" }]));
    await Promise.all(answers);
    expect(broker.values("orders").slice(-2)).toStrictEqual(["before", "after"]);
    expect(clock.pendingCount).toBe(0);
  });

  it("keeps a record's bytes as they were when it was sent", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer({ key: bytes, value: bytes });
    const mine = new Uint8Array([1]);
    const header: HeaderInput = ["h", mine];
    const known = sender.send({ topic: "orders", key: mine, value: mine, headers: [header] });
    mine[0] = 2;
    await known;
    const again = sender.send({ topic: "orders", key: mine, value: mine, headers: [header] });
    mine[0] = 3;
    await again;
    expect(broker.records("orders").map(({ key, value, headers }) => [key?.[0], value?.[0], headers[0]?.[1]?.[0]])).toStrictEqual([
      [1, 1, 1],
      [2, 2, 2],
    ]);
  });

  it("sends a tombstone for null, and a record without key for a key that is null or absent", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    await sender.send({ topic: "orders", key: "", value: null });
    await sender.send({ topic: "orders", key: null, value: "" });
    expect(broker.records("orders").map(({ key, value }) => [key?.length ?? null, value?.length ?? null])).toStrictEqual([
      [0, null],
      [null, 0],
    ]);
  });

  it("is fulfilled or rejected with its own batch's fate", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 2);
    broker.refuse = ({ partition }) => (partition === 1 ? new StorageError("STORAGE_FULL", "full") : null);
    const sender = producer();
    const [good, bad] = await Promise.allSettled([
      sender.send({ topic: "orders", value: "v", partition: 0 }),
      sender.send({ topic: "orders", value: "v", partition: 1 }),
    ]);
    expect(good?.status).toBe("fulfilled");
    expect((bad as PromiseRejectedResult).reason).toMatchObject({ code: "STORAGE_FULL", retriable: true });
  });
});

describe("partitions", () => {
  it("follow Kafka's murmur2 for keys", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 12);
    const sender = producer({ key: bytes });
    expect(vectors.murmur2.length).toBeGreaterThan(5);
    for (const { inputHex, partitionOf12 } of vectors.murmur2) {
      const record = { topic: "orders", key: new Uint8Array(Buffer.from(inputHex, "hex")), value: "v" };
      expect((await sender.send(record)).partition, inputHex).toBe(partitionOf12);
      expect((await sender.sendBatch([record]))[0]?.partition, inputHex).toBe(partitionOf12);
    }
  });

  it("stick for records without a key until the batch is done, and all get their share", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 4);
    const sender = producer();
    let last = -1;
    const seen = new Set<number>();
    for (let round = 0; round < 60; round += 1) {
      const answers = await Promise.all([1, 2, 3].map(() => sender.send({ topic: "orders", value: "v" })));
      const partitions = new Set(answers.map(({ partition }) => partition));
      expect(partitions.size).toBe(1);
      const [partition] = partitions;
      expect(partition).not.toBe(last);
      last = partition as number;
      seen.add(last);
    }
    expect(seen.size).toBe(4);
    const whole = await sender.sendBatch(Array.from({ length: 50 }, () => ({ topic: "orders", value: "v" })));
    expect(new Set(whole.map(({ partition }) => partition)).size).toBe(1);
  });

  it("may be named, and one that the topic has not is refused with the legal range", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 3);
    const sender = producer();
    expect((await sender.send({ topic: "orders", key: "k", value: "v", partition: 2 })).partition).toBe(2);
    for (const promise of [
      sender.send({ topic: "orders", value: "v", partition: 99 }),
      sender.sendBatch([{ topic: "orders", value: "v", partition: 99 }]),
    ]) {
      const error = await refusal(promise);
      expect(error).toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
      expect(error.message).toContain('expected a partition of "orders", 0 to 2; found 99');
    }
    expect(broker.batches).toHaveLength(1);
  });

  it("made later are used within ten seconds, and at once when one is named", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    await sender.send({ topic: "orders", value: "v" });
    broker.growTopic("orders", 12);
    expect((await sender.send({ topic: "orders", value: "v", partition: 11 })).partition).toBe(11);
    broker.growTopic("orders", 13);
    await clock.advance(10_001);
    const seen = new Set<number>();
    for (let i = 0; i < 200; i += 1) seen.add((await sender.send({ topic: "orders", key: `k${i}`, value: "v" })).partition);
    expect(seen.size).toBe(13);
    expect(broker.metadataCalls).toBe(3);
  });

  it("are the custom partitioner's, when it answers one that there is", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 3);
    const calls: unknown[] = [];
    const answers: unknown[] = [2, 1];
    const sender = producer({
      partitioner: (record, keyBytes, count) => {
        calls.push([record.value, keyBytes === null ? null : [...keyBytes], count]);
        return answers.shift() as number;
      },
    });
    expect((await sender.send({ topic: "orders", key: "a", value: "v" })).partition).toBe(2);
    expect((await sender.sendBatch([{ topic: "orders", value: "w" }]))[0]?.partition).toBe(1);
    expect(calls).toStrictEqual([
      ["v", [97], 3],
      ["w", null, 3],
    ]);
    for (const wrong of [3, -1, 1.5, Number.NaN, "0", undefined, 0n]) {
      answers.push(wrong, wrong);
      expect((await refusal(sender.send({ topic: "orders", value: "v" }))).message).toContain("0 to 2; found");
      expect((await refusal(sender.sendBatch([{ topic: "orders", value: "v" }]))).code).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    }
    const failing = producer({
      partitioner: () => {
        throw new Error("mine");
      },
    });
    expect((await refusal(failing.send({ topic: "orders", value: "v" }))).cause).toMatchObject({ message: "mine" });
    expect(broker.batches).toHaveLength(2);
  });
});

describe("topics", () => {
  it("that are not there are refused with the nearest name, and found once they are made", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    for (const promise of [
      sender.send({ topic: "order", value: "v" }),
      sender.sendBatch([
        { topic: "orders", value: "v" },
        { topic: "order", value: "v" },
      ]),
    ]) {
      const error = await refusal(promise);
      expect(error).toMatchObject({ name: "UsageError", code: "UNKNOWN_TOPIC_OR_PARTITION" });
      expect(error.message).toContain('did you mean "orders"?');
    }
    expect(broker.batches).toHaveLength(0);
    broker.makeTopic("order", 1);
    expect((await sender.send({ topic: "order", value: "v" })).offset).toBe(0);
  });

  it("are asked for once for sends that come together, and again after the broker did not know one", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    await Promise.all([1, 2, 3].map(() => sender.send({ topic: "orders", value: "v" })));
    expect(broker.metadataCalls).toBe(1);
    broker.refuse = () => new UsageError("UNKNOWN_TOPIC_OR_PARTITION", "gone");
    await refusal(sender.send({ topic: "orders", value: "v" }));
    broker.refuse = () => null;
    await sender.send({ topic: "orders", value: "v" });
    expect(broker.metadataCalls).toBe(2);
  });

  it("whose metadata cannot be had reject the send with the broker's own error", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    broker.onMetadata = () => Promise.reject(new UsageError("LOG_CLOSED", "closed"));
    expect((await refusal(producer().send({ topic: "orders", value: "v" }))).code).toBe("LOG_CLOSED");
  });
});

describe("bad input", () => {
  const wrong: [string, unknown, string][] = [
    ["no record", undefined, "INVALID_ARGUMENT"],
    ["null for a record", null, "INVALID_ARGUMENT"],
    ["a topic that is no string", { topic: 5, value: "v" }, "INVALID_ARGUMENT"],
    ["a topic that is not given", { value: "v" }, "INVALID_ARGUMENT"],
    ["a value that is undefined", { topic: "orders", value: undefined }, "INVALID_ARGUMENT"],
    ["a value that is not given", { topic: "orders" }, "INVALID_ARGUMENT"],
    ["a value that does not serialize", { topic: "orders", value: 5 }, "SERIALIZATION_FAILED"],
    ["a symbol for a key", { topic: "orders", key: Symbol("k"), value: "v" }, "SERIALIZATION_FAILED"],
    ["a negative timestamp", { topic: "orders", value: "v", timestamp: -2 }, "INVALID_TIMESTAMP"],
    ["a huge timestamp", { topic: "orders", value: "v", timestamp: 2 ** 53 }, "INVALID_TIMESTAMP"],
    ["NaN for a timestamp", { topic: "orders", value: "v", timestamp: Number.NaN }, "INVALID_TIMESTAMP"],
    ["half a millisecond", { topic: "orders", value: "v", timestamp: 0.5 }, "INVALID_TIMESTAMP"],
    ["a Date for a timestamp", { topic: "orders", value: "v", timestamp: new Date(0) }, "INVALID_TIMESTAMP"],
    ["null for a timestamp", { topic: "orders", value: "v", timestamp: null }, "INVALID_TIMESTAMP"],
    ["a bigint for a timestamp", { topic: "orders", value: "v", timestamp: 5n }, "INVALID_TIMESTAMP"],
    ["a string for a partition", { topic: "orders", value: "v", partition: "0" }, "INVALID_ARGUMENT"],
    ["a negative partition", { topic: "orders", value: "v", partition: -1 }, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["half a partition", { topic: "orders", value: "v", partition: 0.5 }, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["headers as an object", { topic: "orders", value: "v", headers: { a: "b" } }, "INVALID_ARGUMENT"],
    ["a header without value", { topic: "orders", value: "v", headers: [["a"]] }, "INVALID_ARGUMENT"],
    ["null for a header's name", { topic: "orders", value: "v", headers: [[null, "b"]] }, "INVALID_ARGUMENT"],
    ["undefined for a header's value", { topic: "orders", value: "v", headers: [["a", undefined]] }, "INVALID_ARGUMENT"],
    ["a number for a header's value", { topic: "orders", value: "v", headers: [["a", 5]] }, "INVALID_ARGUMENT"],
    ["a header that UTF-8 cannot hold", { topic: "orders", value: "v", headers: [["a", "\ud800"]] }, "INVALID_ARGUMENT"],
    ["a record of 3 MB", { topic: "orders", value: "x".repeat(3_000_000) }, "MESSAGE_TOO_LARGE"],
    ["a __proto__ that was parsed", JSON.parse('{"__proto__": {"topic": "orders", "value": "v"}}'), "INVALID_ARGUMENT"],
  ];

  it.each(wrong)("%s is refused with a typed error, and nothing is appended", async (_what, record, code) => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    // Once while the topic is unknown, once when it is known; alone, and behind good ones.
    for (const known of [false, true]) {
      if (known) await sender.send({ topic: "orders", value: "v" });
      broker.batches.length = 0;
      const good = { topic: "orders", value: "good" };
      for (const promise of [sender.send(record as never), sender.sendBatch([good, good, record as never])]) {
        const error = await refusal(promise);
        expect(error.code).toBe(code);
        expect(error.message).toMatch(/send(Batch)?\(\)/u);
        expect(error).toBeInstanceOf(code === "SERIALIZATION_FAILED" ? SerdeError : UsageError);
      }
      expect(broker.batches).toHaveLength(0);
    }
    expect((await sender.send({ topic: "orders", value: "still works" })).offset).toBe(1);
  });

  it("names the record of a batch that is wrong", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const error = await refusal(
      producer().sendBatch([
        { topic: "orders", value: "v" },
        { topic: "orders", value: "v", timestamp: -5 },
      ]),
    );
    expect(error.message).toBe("sendBatch(): record 1: timestamp: expected milliseconds from 0 to 2^53-1, or -1 for none; found -5");
    expect((await refusal(producer().sendBatch("no" as never))).code).toBe("INVALID_ARGUMENT");
  });

  it("keeps the cause of a value that does not serialize, and says what serializers should not do", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const mine = new Error("mine");
    const throwing = producer({
      value: {
        serialize: () => {
          throw mine;
        },
      },
    });
    const error = (await refusal(throwing.send({ topic: "orders", value: "v" }))) as SerdeError;
    expect(error).toMatchObject({ code: "SERIALIZATION_FAILED", cause: mine, record: null });
    const text = producer({ value: { serialize: () => "text" as never } });
    expect((await refusal(text.send({ topic: "orders", value: "v" }))).message).toContain('gave "text", not a Uint8Array');
    const late = producer({ value: json({ "~standard": { version: 1, vendor: "t", validate: () => Promise.resolve({ value: 1 }) } }) });
    expect((await refusal(late.send({ topic: "orders", value: 1 }))).name).toBe("UsageError");
  });

  it.each([
    [{ "linger.ms": 5 }, "UNKNOWN_CONFIG", "did you mean lingerMs?"],
    [{ lingerMs: -1 }, "INVALID_ARGUMENT", "lingerMs"],
    [{ acks: "ALL" }, "INVALID_ARGUMENT", "acks"],
    [{ key: {} }, "INVALID_ARGUMENT", "a serializer"],
    [{ compressionType: "zstd" }, "UNSUPPORTED_COMPRESSION_TYPE", "zstd"],
    [{ compressionType: "brotli" }, "INVALID_ARGUMENT", "compressionType"],
  ])("the option %j is refused when the producer is made", (options, code, sentence) => {
    const { producer } = makeWorld();
    try {
      producer(options as never);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      expect((error as OdradekError).code).toBe(code);
      expect((error as OdradekError).message).toContain(sentence);
    }
  });
});

describe("serializers", () => {
  it("see the topic and the headers, with text as UTF-8", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const seen: unknown[] = [];
    const sender = producer({
      value: {
        serialize: (value: string, context) => {
          seen.push([context.topic, context.headers.map(([name, bytes]) => [name, bytes === null ? null : [...bytes]])]);
          return new TextEncoder().encode(value);
        },
      },
    });
    await sender.send({ topic: "orders", value: "v", headers: [["a", "b"]] });
    await sender.send({ topic: "orders", value: "v" });
    expect(seen).toStrictEqual([
      ["orders", [["a", [98]]]],
      ["orders", []],
    ]);
  });

  it("that themselves send do not spoil what is being sent", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    broker.makeTopic("audit", 1);
    const audit = producer();
    await audit.send({ topic: "audit", value: "known" });
    const inner: Promise<unknown>[] = [];
    const sender = producer({
      key: utf8,
      value: {
        serialize: (value: string) => {
          inner.push(audit.send({ topic: "audit", key: "inner-key", value }), audit.sendBatch([{ topic: "audit", key: "other", value }]));
          return new TextEncoder().encode(value);
        },
      },
    });
    await sender.send({ topic: "orders", key: "first", value: "v0" });
    await sender.send({ topic: "orders", key: "second", value: "v1" });
    await sender.sendBatch(["v2", "v3"].map((value) => ({ topic: "orders", key: "third", value })));
    await Promise.all(inner);
    const decoded = broker
      .records("orders")
      .map(({ key, value }) => [key, value].map((part) => Buffer.from(part as Uint8Array).toString()));
    expect(decoded).toStrictEqual([
      ["first", "v0"],
      ["second", "v1"],
      ["third", "v2"],
      ["third", "v3"],
    ]);
  });
});

describe("sendBatch", () => {
  it("answers in the order given, over topics and partitions", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("a", 3);
    broker.makeTopic("b", 2);
    const records: ProducerRecord<string, string>[] = Array.from({ length: 100 }, (_, i) => ({
      topic: i % 3 === 0 ? "b" : "a",
      key: `k${i % 7}`,
      value: String(i),
      timestamp: i,
    }));
    const answers = await producer().sendBatch(records);
    answers.forEach((answer, i) => {
      expect(answer.timestamp).toBe(i);
      expect(broker.values(answer.topic, answer.partition)[answer.offset]).toBe(String(i));
    });
    expect(broker.batches).toHaveLength(new Set(answers.map(({ topic, partition }) => `${topic}-${partition}`)).size);
  });

  it("takes batchSize and lingerMs for nothing: maxMessageBytes alone bounds a batch", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1, 1000);
    const sender = producer({ batchSize: 100, lingerMs: 5000 });
    const records = Array.from({ length: 100 }, (_, i) => ({ topic: "orders", value: String(i).padStart(50, "0") }));
    await sender.sendBatch(records);
    const again = await sender.sendBatch(records);
    expect(again.map(({ offset }) => offset)).toStrictEqual(records.map((_, i) => 100 + i));
    expect(broker.values("orders")).toStrictEqual([...records, ...records].map(({ value }) => value));
    const sizes = broker.batches.map(({ byteLength }) => byteLength);
    // Each is so full that not one record more would have gone in, but the last.
    for (const size of sizes.slice(0, -1).filter((_, i) => i !== sizes.length / 2 - 1)) expect(size).toBeGreaterThan(1000 - 60);
    expect(await sender.sendBatch([])).toStrictEqual([]);
  });

  it("appends nothing when a record is bad, though whole batches stood ready before it", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1, 1000);
    const sender = producer();
    await sender.send({ topic: "orders", value: "v" });
    const records = Array.from({ length: 100 }, (_, i) => ({
      topic: "orders",
      value: i === 99 ? (undefined as never) : String(i).padStart(50, "0"),
    }));
    await expect(sender.sendBatch(records)).rejects.toMatchObject({ name: "UsageError", message: expect.stringContaining("record 99") });
    expect(broker.values("orders")).toStrictEqual(["v"]);
    await sender.sendBatch(records.slice(0, 99));
    expect(broker.values("orders")).toHaveLength(100);
  });

  it("goes out within the call, in one batch, when partition and room are known", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    await sender.send({ topic: "orders", value: "v" });
    broker.batches.length = 0;
    const answers = sender.sendBatch(Array.from({ length: 1000 }, (_, i) => ({ topic: "orders", key: "k", value: String(i) })));
    expect(broker.batches).toMatchObject([{ recordCount: 1000 }]);
    expect((await answers)[999]?.offset).toBe(1000);
  });

  it("says what happened to each record where only some partitions took theirs", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 3);
    const full = new StorageError("STORAGE_FULL", "no room");
    broker.refuse = ({ partition }) => (partition === 1 ? full : null);
    const records = [0, 1, 2, 1, 0].map((partition, i) => ({ topic: "orders", partition, value: String(i) }));
    const error = (await refusal(producer().sendBatch(records))) as SendBatchError;
    expect(error).toBeInstanceOf(SendBatchError);
    expect(error.code).toBe("SEND_BATCH_FAILED");
    expect(error.cause).toBe(full);
    expect(error.message).toBe("sendBatch(): 2 of 5 records were not appended: no room");
    expect(
      error.results.map((result) => (result.status === "fulfilled" ? [result.value.partition, result.value.offset] : result.reason)),
    ).toStrictEqual([[0, 0], full, [2, 0], full, [0, 1]]);
  });

  it("is rejected as SendBatchError also when its one batch failed on the machine, and with the UsageError when none was legal", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer();
    await sender.send({ topic: "orders", value: "v" });
    broker.refuse = () => new StorageError("STORAGE_FULL", "no room");
    const records = [
      { topic: "orders", value: "a" },
      { topic: "orders", value: "b" },
    ];
    const error = (await refusal(sender.sendBatch(records))) as SendBatchError;
    expect(error.results).toHaveLength(2);
    expect(error.cause).toMatchObject({ code: "STORAGE_FULL" });
    broker.refuse = () => new UsageError("INVALID_RECORD", "a key is needed");
    expect((await refusal(sender.sendBatch(records))).code).toBe("INVALID_RECORD");
  });
});

describe("acks", () => {
  it.each(["all", 1] as const)("%s is asked of the broker, and its durability told", async (acks) => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    broker.durability = "process";
    const answer = await producer({ acks: acks as Acks, value: utf8 }).send({ topic: "orders", value: "v" });
    expect(answer.durability).toBe("process");
    expect(broker.batches[0]?.acks).toBe(acks);
  });

  it("0 resolves without waiting for the log, and failures are events", async () => {
    const { broker, events, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const held = gate();
    broker.onProduce = () => held.opened;
    const sender = producer({ acks: 0, value: utf8 });
    expect(await sender.send({ topic: "orders", value: "v", timestamp: 3 })).toStrictEqual({
      topic: "orders",
      partition: 0,
      offset: undefined,
      timestamp: 3,
      durability: "none",
    });
    const [first] = await sender.sendBatch([{ topic: "orders", value: "w" }]);
    expect(first).toMatchObject({ offset: undefined, durability: "none" });
    let flushed = false;
    const flushing = sender.flush().then(() => {
      flushed = true;
    });
    await settled();
    expect(flushed).toBe(false);
    held.open();
    await flushing;

    broker.refuse = () => new StorageError("STORAGE_FULL", "no room");
    await sender.send({ topic: "orders", value: "v" });
    await sender.sendBatch([{ topic: "orders", value: "w" }]);
    await sender.flush();
    expect(events.map(({ type, fields }) => [type, fields.partition, fields.recordCount, fields.code])).toStrictEqual([
      ["send.failed", { topic: "orders", partition: 0 }, 1, "STORAGE_FULL"],
      ["send.failed", { topic: "orders", partition: 0 }, 1, "STORAGE_FULL"],
    ]);
    expect((await refusal(sender.send({ topic: "nowhere", value: "v" }))).code).toBe("UNKNOWN_TOPIC_OR_PARTITION");
  });
});

describe("flush and close", () => {
  it("flush waits for every earlier send, also one that waits for metadata, and does not reject with it", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const asked = gate();
    const held = gate();
    broker.onMetadata = () => asked.opened;
    broker.onProduce = () => held.opened;
    const sender = producer({ lingerMs: 60_000 });
    let settledCount = 0;
    const count = (): void => {
      settledCount += 1;
    };
    void sender.send({ topic: "orders", value: "v" }).then(count);
    void sender.send({ topic: "nowhere", value: "v" }).catch(count);
    let flushed = false;
    const flushing = sender.flush().then(() => {
      flushed = true;
    });
    asked.open();
    await settled();
    await settled();
    expect([broker.batches.length, flushed]).toStrictEqual([1, false]);
    held.open();
    await flushing;
    expect(settledCount).toBe(2);
    await sender.flush();
  });

  it("close flushes, is idempotent, and refuses every further call", async () => {
    const { broker, clock, closed, producer } = makeWorld();
    broker.makeTopic("orders", 1);
    const sender = producer({ lingerMs: 60_000 });
    const sent = sender.send({ topic: "orders", value: "v" });
    const closing = sender.close();
    for (const promise of [
      sender.send({ topic: "orders", value: "v" }),
      sender.sendBatch([]),
      sender.flush(),
      sender.transaction(async () => {}),
    ]) {
      expect(await refusal(promise)).toMatchObject({ name: "UsageError", code: "PRODUCER_CLOSED" });
    }
    await Promise.all([closing, sender.close(), sender[Symbol.asyncDispose]()]);
    expect((await sent).offset).toBe(0);
    expect(closed).toStrictEqual([sender]);
    expect(clock.pendingCount).toBe(0);
  });
});

describe("the event loop", () => {
  it("gets its turn while sends are awaited one after the other", async () => {
    const { broker, producer } = makeWorld(systemClock);
    broker.makeTopic("orders", 1);
    for (const acks of [1, 0] as const) {
      const sender = producer({ acks: acks as Acks, value: utf8 });
      let fired = false;
      setTimeout(() => {
        fired = true;
      }, 5);
      const began = performance.now();
      while (!fired && performance.now() - began < 2000) await sender.send({ topic: "orders", value: "v" });
      expect(performance.now() - began).toBeLessThan(200);
      await sender.close();
    }
  });
});
