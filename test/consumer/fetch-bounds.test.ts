/** What a consumer asks of its broker, to the byte and the millisecond, and what of it a commit covers. */
import { describe, expect, it } from "vitest";
import { GroupError, OdradekError, UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serdes/utf8.ts";
import { consumerSettings } from "../../src/consumer/consumer-options.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

const second = { topic: "orders", partition: 1 };
const turns = async (): Promise<void> => {
  for (let count = 0; count < 5; count += 1) await settled();
};

describe("a fetch", () => {
  it("asks for what is not read to the end yet, once, and is not followed by one that would bring nothing", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 3);
    const reader = consumer({ clientId: "c" });
    await reader.assign([orders, second]);
    expect(await valuesToEnd(reader)).toEqual(["0", "1", "2"]);
    expect(broker.fetches).toEqual([
      {
        partitions: [{ ...orders, offset: 0, maxBytes: 1 << 20 }],
        minBytes: 1,
        maxWaitMs: 30_000,
        maxBytes: 1 << 20,
        isolation: "readCommitted",
        clientId: "c",
      },
    ]);
  });

  it("of a broker in this process asks for 384 KiB at a time at most, and for less where fetchMaxBytes says so", async () => {
    for (const [fetchMaxBytes, expected] of [
      [undefined, 393_216],
      [393_217, 393_216],
      [500, 500],
    ] as const) {
      const { broker, consumer } = await bed();
      Object.assign(broker, { atHand: { standing: () => null, read: () => null } });
      broker.appendSingles(orders, 1);
      const reader = consumer({ fetchMaxBytes });
      await reader.assign([orders]);
      await valuesToEnd(reader);
      expect(broker.fetches.map(({ maxBytes, partitions }) => [maxBytes, partitions[0]?.maxBytes])).toEqual([[expected, expected]]);
    }
  });

  it("without time to wait is one, that waits for nothing, and goes on only while what came was nothing to be given", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer({ fetchMaxBytes: 1 });
    await reader.assign([orders]);
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    expect(broker.fetches.map(({ maxWaitMs }) => maxWaitMs)).toEqual([0]);
    for (let count = 0; count < 4; count += 1) {
      broker.append(orders, [{ value: "aborted" }], { producerId: 1n, transactional: true });
      broker.endTransactionOf(orders, 1n, false);
    }
    broker.append(orders, [{ value: "good" }]);
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["good"]);
    // Eight that brought nothing to be given, and the one that did.
    expect(broker.fetches.slice(1).map(({ maxWaitMs }) => maxWaitMs)).toEqual(new Array(9).fill(0));
  });

  it("asks for nothing of a partition that is paused, and anew for what was let go then", async () => {
    const { broker, consumer } = await bed(2);
    broker.append(
      orders,
      numbers(0, 4).map((value) => ({ value })),
    );
    broker.appendSingles(second, 1, 10);
    const reader = consumer();
    await reader.assign([orders, second]);
    await reader.poll({ maxRecords: 2 });
    reader.pause([orders]);
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["10"]);
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    const asked = broker.fetches.slice(1).flatMap(({ partitions }) => partitions.map(({ partition }) => partition));
    expect(new Set(asked)).toEqual(new Set([1]));
    reader.resume([orders]);
    expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["2", "3"]);
    expect(broker.fetches.at(-1)?.partitions).toContainEqual(expect.objectContaining({ partition: 0, offset: 2 }));
  });
});

describe("poll", () => {
  it("without a time waits for a second, to the millisecond, and leaves no timer", async () => {
    for (const [options, ms] of [
      [undefined, 1000],
      [{ timeoutMs: 7 }, 7],
    ] as const) {
      const clock = new ManualClock();
      const { consumer } = await bed(1, clock);
      const reader = consumer();
      await reader.assign([orders]);
      let polled: unknown = null;
      void reader.poll(options).then((records) => {
        polled = records;
      });
      await clock.advance(ms - 1);
      await turns();
      expect(polled).toBe(null);
      await clock.advance(1);
      await turns();
      expect([polled, clock.pendingCount]).toEqual([[], 0]);
    }
  });

  it("takes maxPollRecords where the call names no other number", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 9);
    const reader = consumer({ maxPollRecords: 2 });
    await reader.assign([orders]);
    const lengths = [];
    for (const options of [undefined, { maxRecords: 3 }, {}]) lengths.push((await reader.poll(options)).length);
    expect(lengths).toEqual([2, 3, 2]);
  });

  it("asks its function about a record only when those before it were given, and once", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "0" }, { value: "bad" }, { value: "2" }]);
    const asked: (number | undefined)[] = [];
    const reader = consumer({
      value: {
        deserialize: (bytes: Uint8Array, context) => {
          const text = utf8.deserialize(bytes as never, context);
          if (text === "bad") throw new TypeError("bad");
          return text;
        },
      },
      onDeserializeError: ({ record }) => {
        asked.push(record?.offset);
        return "skip";
      },
    });
    await reader.assign([orders]);
    expect([(await reader.poll()).map(({ value }) => value), [...asked]]).toEqual([["0"], []]);
    expect([(await reader.poll()).map(({ value }) => value), asked]).toEqual([["2"], [1]]);
    expect(await reader.position(orders)).toBe(3);
  });

  it("that found nothing lets no commit cover the record in hand of the loop behind it", async () => {
    const { broker, consumer } = await bed();
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    broker.appendSingles(orders, 3);
    for await (const { offset } of reader) {
      await reader.commit();
      expect(broker.committedOf("g", orders)).toBe(offset === 0 ? null : 1);
      if (offset === 1) break;
    }
    await reader.poll({ maxRecords: 1 });
    for await (const _ of reader) {
      await reader.commit();
      break;
    }
    expect(broker.committedOf("g", orders)).toBe(2);
  });
});

describe("where reading begins", () => {
  it("is committed where the caller could not know it, and not where every reader begins", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 3);
    for (const autoOffsetReset of ["earliest", "latest"] as const) {
      const reader = consumer({ groupId: autoOffsetReset, autoOffsetReset });
      await reader.assign([orders]);
      await reader.close();
    }
    expect([broker.committedOf("earliest", orders), broker.committedOf("latest", orders)]).toEqual([null, 3]);
  });

  it("is asked of a group alone, and waits for open transactions where only committed records are read", async () => {
    const { broker, consumer } = await bed();
    const asked: unknown[] = [];
    const { offsetFetch } = broker;
    broker.offsetFetch = (request) => {
      asked.push(request);
      return offsetFetch.call(broker, request);
    };
    for (const isolationLevel of ["readCommitted", "readUncommitted"] as const) {
      await consumer({ isolationLevel }).assign([orders]);
      expect(asked).toEqual([]);
      await consumer({ groupId: "g", isolationLevel }).assign([orders]);
      expect(asked.splice(0)).toEqual([{ groupId: "g", partitions: [orders], requireStable: isolationLevel === "readCommitted" }]);
    }
  });

  it("is asked again every 50 ms while a transaction may still change it", async () => {
    const clock = new ManualClock();
    const { broker, consumer } = await bed(1, clock);
    broker.appendSingles(orders, 1);
    const { offsetFetch } = broker;
    let askedCount = 0;
    broker.offsetFetch = async () => {
      askedCount += 1;
      throw new OdradekError("UNSTABLE_OFFSET_COMMIT", "a transaction is open");
    };
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    const next = reader.records().next();
    await turns();
    const before = askedCount;
    await clock.advance(49);
    await turns();
    expect(askedCount).toBe(before);
    await clock.advance(1);
    await turns();
    expect(askedCount).toBe(before + 1);
    broker.offsetFetch = offsetFetch;
    await clock.advance(50);
    expect((await next).value).toMatchObject({ value: "0" });
  });

  it("is never behind the end that lag is counted to, and no time before 1970", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "a", timestamp: 0 }]);
    const reader = consumer();
    await reader.assign([orders]);
    reader.seek(orders, 5);
    expect(await reader.lag(orders)).toBe(0);
    reader.seek(orders, 0);
    expect(await reader.lag(orders)).toBe(1);
    expect(await reader.offsetForTime(orders, 0)).toEqual({ offset: 0, timestamp: 0 });
    await expect(reader.offsetForTime(orders, -1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(reader.offsetForTime(orders, 2 ** 53)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a commit", () => {
  it("of what was delivered needs its partition still; of offsets spelled out it does not", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 2);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    await reader.assign([orders]);
    const [record] = await reader.poll();
    await reader.assign([second]);
    const error = await reader.commit(record).catch((told: unknown) => told);
    expect(error).toBeInstanceOf(GroupError);
    expect(error).toMatchObject({ code: "ILLEGAL_GENERATION", message: expect.stringContaining("orders-0") as string });
    expect(broker.commits).toEqual([]);
    await reader.commit([{ ...orders, nextOffset: 1 }]);
    await reader.commit({ ...second, lastOffset: 0 } as never);
    expect([broker.committedOf("g", orders), broker.committedOf("g", second)]).toEqual([1, 1]);
  });

  it("is written as Kafka writes it, and flushed where a partition is given up", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(orders, 3);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    await reader.poll({ maxRecords: 1 });
    await reader.assign([second]);
    expect(broker.commits).toEqual([
      {
        groupId: "g",
        memberId: "",
        groupInstanceId: null,
        generation: -1,
        durable: true,
        offsets: [{ ...orders, nextOffset: 2, leaderEpoch: -1, metadata: "" }],
      },
    ]);
  });

  it("by itself has one timer, however often partitions are assigned, and none where it is off", async () => {
    for (const [options, expected] of [
      [{ groupId: "g" }, 1],
      [{ groupId: "g", enableAutoCommit: false }, 0],
      [{}, 0],
    ] as const) {
      const clock = new ManualClock();
      const { consumer } = await bed(2, clock);
      const reader = consumer(options);
      await reader.assign([orders]);
      await reader.assign([orders, second]);
      expect(clock.pendingCount).toBe(expected);
      await reader.close();
      expect(clock.pendingCount).toBe(0);
    }
  });

  it("that a log open for reading alone refuses keeps nobody from closing", async () => {
    const { broker, consumer, events } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer({ groupId: "g" });
    await reader.assign([orders]);
    await valuesToEnd(reader);
    broker.nextCommitError = new UsageError("READ_ONLY", "open for reading alone");
    await reader.close();
    expect(events).toMatchObject([{ type: "commit.failed", error: { code: "READ_ONLY" } }]);
  });
});

describe("a consumer's options", () => {
  const settings = (options: object) => consumerSettings(options, { key: utf8, value: utf8 });

  it("are Kafka's where nothing is said, but for where reading begins", () => {
    const unsaid = {
      groupId: null,
      key: utf8,
      value: utf8,
      autoOffsetReset: "earliest",
      enableAutoCommit: false,
      autoCommitIntervalMs: 5000,
      isolationLevel: "readCommitted",
      maxPollRecords: 500,
      maxPollIntervalMs: 300_000,
      fetchMaxBytes: 1_048_576,
      sessionTimeoutMs: 45_000,
      clientId: "consumer",
      signal: null,
      assignors: ["range", "cooperative-sticky"],
      onDeserializeError: "stop",
    };
    expect(settings({})).toEqual(unsaid);
    expect(settings({ groupId: "g" })).toEqual({ ...unsaid, groupId: "g", enableAutoCommit: true });
    expect(settings({ groupId: "g", enableAutoCommit: false, partitionAssignmentStrategy: "sticky" })).toMatchObject({
      enableAutoCommit: false,
      assignors: ["sticky"],
    });
  });

  it.each<[string, unknown, unknown]>([
    ["autoCommitIntervalMs", 1, 0],
    ["autoCommitIntervalMs", 2 ** 31 - 1, 2 ** 31],
    ["maxPollRecords", Number.MAX_SAFE_INTEGER, 2 ** 53],
    ["maxPollIntervalMs", 1, 0],
    ["maxPollIntervalMs", 2 ** 31 - 1, 2 ** 31],
    ["fetchMaxBytes", 1, 0],
    ["fetchMaxBytes", 2 ** 31 - 1, 2 ** 31],
    ["sessionTimeoutMs", 1, 0],
    ["sessionTimeoutMs", 2 ** 31 - 1, 2 ** 31],
    ["clientId", "", 5],
    ["groupId", "g", ""],
  ])("%s may be %j and not %j", (name, legal, illegal) => {
    expect(settings({ [name]: legal })).toMatchObject({ [name]: legal });
    expect(() => settings({ [name]: illegal })).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});

describe("the two ways to partitions", () => {
  it("do not mix, whichever was first, and a subscription that was refused is none", async () => {
    const { consumer } = await bed();
    const assigned = consumer({ groupId: "a" });
    await assigned.assign([orders]);
    await expect(assigned.subscribe(["orders"])).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    const member = consumer({ groupId: "g", partitionAssignmentStrategy: "range" });
    await member.subscribe(["orders"]);
    const refused = consumer({ groupId: "g", partitionAssignmentStrategy: "sticky" });
    await expect(refused.subscribe(["orders"])).rejects.toMatchObject({ code: "INCONSISTENT_GROUP_PROTOCOL" });
    await expect(refused.poll()).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await refused.assign([orders]);
    expect(refused.assignment()).toEqual([orders]);
  });
});
