/** Where records go, what is believed of topics and for how long, and what a producer is when nothing was said. */
import { describe, expect, it } from "vitest";
import type { TopicMetadata } from "../../src/api/broker.ts";
import type { Random } from "../../src/base/clock.ts";
import { UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import type { CodecName, Compression } from "../../src/compression/compression.ts";
import { StickyPartition } from "../../src/producer/partitioner.ts";
import type { ProducerBroker } from "../../src/producer/producer-broker.ts";
import { checkProducerOptions } from "../../src/producer/producer-options.ts";
import { TopicDirectory } from "../../src/producer/topic-directory.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal, seeded } from "./world.ts";

const topic = "orders";

/** Chance that says what it is told to. */
function chance(...numbers: number[]): Random {
  return { next: () => numbers.shift() as number, bytes: () => new Uint8Array(0) };
}

describe("the partition that sticks", () => {
  it("is any of those there are, and stays until a batch of its own is done", () => {
    for (const [drawn, expected] of [
      [0, 0],
      [0.249, 0],
      [0.25, 1],
      [0.999, 3],
    ] as const) {
      const sticky = new StickyPartition(chance(drawn));
      expect([sticky.current(4), sticky.current(4)]).toEqual([expected, expected]);
      sticky.moveOn((expected + 1) % 4, 4);
      expect(sticky.current(4)).toBe(expected);
    }
  });

  it("is then any of the others, each as likely, and never the same", () => {
    for (const [drawn, expected] of [
      [0, 3],
      [0.333, 3],
      [0.334, 0],
      [0.667, 1],
      [0.999, 1],
    ] as const) {
      const sticky = new StickyPartition(chance(0.5, drawn));
      expect(sticky.current(4)).toBe(2);
      sticky.moveOn(2, 4);
      expect(sticky.current(4)).toBe(expected);
    }
  });

  it("is another where two are, the only one where one is, and drawn anew where it is not there any more", () => {
    const two = new StickyPartition(chance(0, 0.999, 0));
    expect(two.current(2)).toBe(0);
    two.moveOn(0, 2);
    expect(two.current(2)).toBe(1);
    two.moveOn(1, 2);
    expect(two.current(2)).toBe(0);
    const one = new StickyPartition(chance(0.9));
    one.current(1);
    one.moveOn(0, 1);
    expect(one.current(1)).toBe(0);
    const shrunk = new StickyPartition(chance(0.75, 0.1));
    expect([shrunk.current(4), shrunk.current(3)]).toEqual([3, 0]);
  });
});

describe("a partition", () => {
  it("named is the last there is at most, and never minus zero; what a partitioner answers neither", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3);
    const sender = producer();
    for (const send of [
      (partition: number) => sender.send({ topic, value: "v", partition }),
      (partition: number) => sender.sendBatch([{ topic, value: "v", partition }]).then(([first]) => first),
    ]) {
      expect((await send(2))?.partition).toBe(2);
      expect((await refusal(send(3))).message).toContain("0 to 2; found 3");
    }
    expect((await sender.send({ topic, value: "v", partition: -0 })).partition).toBe(0);
    expect((await sender.sendBatch([{ topic, value: "v", partition: -0 }]))[0]?.partition).toBe(0);
    const custom = producer({ partitioner: () => -0 });
    expect((await custom.send({ topic, value: "v" })).partition).toBe(0);
    expect((await sender.send({ topic, value: "v", timestamp: -0 })).timestamp).toBe(0);
  });

  it("of a partitioner may be found by the key's bytes, which it may change without changing the record", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 3);
    const sender = producer({
      partitioner: (_record, key) => {
        key?.fill(0x7a);
        return 1;
      },
    });
    await sender.send({ topic, key: "abc", value: "v" });
    expect(Buffer.from(broker.records(topic, 1)[0]?.key as Uint8Array).toString()).toBe("abc");
  });
});

describe("a record", () => {
  it.each([
    ["two letters for a header", "ab"],
    ["a header of three", ["a", "b", "c"]],
    ["a header whose bytes were handed over", ["a", detached()]],
  ])("with %s is refused", async (_, header) => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const error = await refusal(producer().send({ topic, value: "v", headers: [header as never] }));
    expect([error.code, broker.batches]).toEqual(["INVALID_ARGUMENT", []]);
  });

  it("is stamped with whole milliseconds from 1970 on, and with none by a clock that is beyond all time", async () => {
    for (const [startMs, expected] of [
      [0, 0],
      [5.9, 5],
      [-0.5, -1],
      [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      [2 ** 60, -1],
      [Number.NaN, -1],
    ] as const) {
      const { broker, producer } = makeWorld(new ManualClock(startMs));
      broker.makeTopic(topic, 1);
      expect((await producer().send({ topic, value: "v" })).timestamp).toBe(expected);
    }
  });

  it("shows its serializers a context that they cannot change for others", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const seen: boolean[] = [];
    const value = {
      serialize: (text: string, context: { readonly headers: readonly unknown[] }) => {
        seen.push(Object.isFrozen(context), Object.isFrozen(context.headers));
        return utf8.serialize(text, context as never);
      },
    };
    const sender = producer({ value });
    await sender.send({ topic, value: "v" });
    await sender.send({ topic, value: "v", headers: [["a", "b"]] });
    expect(seen).toEqual([true, true, true, true]);
  });
});

function detached(): Uint8Array {
  const bytes = new Uint8Array(4);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

describe("what is known of a topic", () => {
  function directory(change: (metadata: TopicMetadata) => Partial<TopicMetadata> | null = () => ({})) {
    const clock = new ManualClock();
    const asked: (string | null)[] = [];
    let answer: Promise<void> = Promise.resolve();
    const metadata = async (names: readonly string[] | null): Promise<TopicMetadata[]> => {
      asked.push(names?.[0] ?? null);
      await answer;
      const known = { topicId: "id", internal: false, partitionCount: 1, maxMessageBytes: 1000, requiresKey: false };
      return (names ?? ["orders", "__orders"]).flatMap((name) => {
        const changed = change({ name, ...known, internal: name.startsWith("__") });
        return changed === null ? [] : [{ name, ...known, internal: name.startsWith("__"), ...changed }];
      });
    };
    const known = new TopicDirectory({ metadata } as unknown as ProducerBroker, clock, seeded(7), () => {});
    const waitFor = (promise: Promise<void>): void => {
      answer = promise;
    };
    return { known, clock, asked, waitFor };
  }

  it("is believed for a second, asked for anew beside it then, and not used beyond ten, counted from when it was asked", async () => {
    const { known, clock, asked, waitFor } = directory();
    expect(known.recent(topic)).toBe(null);
    const slow = gate();
    waitFor(slow.opened);
    const asking = known.refresh(topic);
    await clock.advance(400);
    slow.open();
    const entry = await asking;
    await clock.advance(600);
    expect([known.recent(topic), asked.length]).toEqual([entry, 1]);
    waitFor(new Promise(() => {}));
    await clock.advance(1);
    expect([known.recent(topic), known.recent(topic), asked.length]).toEqual([entry, entry, 2]);
    await clock.advance(8999);
    expect([known.recent(topic), asked.length]).toEqual([entry, 2]);
    await clock.advance(1);
    expect([known.recent(topic), asked.length]).toEqual([null, 2]);
  });

  it("is looked at once a turn, unless it turned out to be wrong meanwhile", async () => {
    const { known, clock } = directory();
    const entry = await known.refresh(topic);
    expect(known.recent(topic, 3)).toBe(entry);
    await clock.advance(20_000);
    expect(known.recent(topic, 3)).toBe(entry);
    expect([known.recent(topic, 4), known.recent(topic), known.recent(topic, -1)]).toEqual([null, null, null]);
    await known.refresh(topic);
    known.recent(topic, 5);
    known.forget(topic);
    expect(known.recent(topic, 5)).toBe(null);
    known.forget("unheard of");
    expect(known.recent("unheard of")).toBe(null);
  });

  it("is as it was for those who hold it, when it is asked for again, and nothing is refused where that fails beside it", async () => {
    let isThere = true;
    const { known, clock } = directory(() => (isThere ? { partitionCount: 3 } : null));
    const entry = await known.refresh(topic);
    expect([entry.partitionCount, entry.maxMessageBytes]).toEqual([3, 1000]);
    await clock.advance(2000);
    isThere = false;
    expect(known.recent(topic)).toBe(entry);
    await settled();
    // It is gone: whoever comes next has to ask.
    expect(known.recent(topic)).toBe(null);
    isThere = true;
    expect(await known.refresh(topic)).toBe(entry);
  });

  it("says that a key is needed where it is, and leaves that to the broker for an internal topic", async () => {
    const { known } = directory(() => ({ requiresKey: true }));
    expect([(await known.refresh(topic)).requiresKey, (await known.refresh("__orders")).requiresKey]).toEqual([true, false]);
  });

  it("names the nearest that is not internal where there is none, and how to make one where nothing is near", async () => {
    const { known } = directory(({ name }) => (name.endsWith("orders") ? {} : null));
    await expect(known.refresh("_order")).rejects.toThrow('did you mean "orders"?');
    await expect(known.refresh("completely-other")).rejects.toThrow("createTopic");
    await expect(known.refresh("completely-other")).rejects.toBeInstanceOf(UsageError);
  });
});

describe("a producer's options", () => {
  const check = (options: object, can: readonly CodecName[] = ["gzip"]) =>
    checkProducerOptions(options, utf8, utf8, { canCompress: (codec: CodecName) => can.includes(codec) } as Compression);

  it("are Kafka's where nothing is said", () => {
    expect(check({})).toEqual({
      key: utf8,
      value: utf8,
      acks: "all",
      lingerMs: 0,
      batchSize: 16_384,
      bufferMemory: 33_554_432,
      maxBlockMs: 60_000,
      compressionType: "none",
      enableIdempotence: true,
      transactionalId: undefined,
      clientId: undefined,
      partitioner: undefined,
    });
  });

  const longest = "i".repeat(249);
  it.each<[object, object]>([
    [{ lingerMs: 0 }, { lingerMs: -1 }],
    [{ lingerMs: 2 ** 31 - 1 }, { lingerMs: 2 ** 31 }],
    [{ batchSize: 0 }, { batchSize: -1 }],
    [{ batchSize: 2 ** 31 - 1 }, { batchSize: 2 ** 31 }],
    [{ bufferMemory: 1 }, { bufferMemory: 0 }],
    [{ bufferMemory: Number.MAX_SAFE_INTEGER }, { bufferMemory: 2 ** 53 }],
    [{ maxBlockMs: 0 }, { maxBlockMs: -1 }],
    [{ maxBlockMs: Number.POSITIVE_INFINITY }, { maxBlockMs: Number.NaN }],
    [{ transactionalId: "t" }, { transactionalId: "" }],
    [{ transactionalId: longest }, { transactionalId: `${longest}i` }],
    [{ clientId: "c" }, { clientId: "" }],
    [{ clientId: longest }, { clientId: `${longest}i` }],
    [{ enableIdempotence: false }, { enableIdempotence: 0 }],
    [{ acks: 1 }, { acks: -1 }],
    [{ acks: 0 }, { acks: "0" }],
    [{ partitioner: () => 0 }, { partitioner: "murmur2" }],
    [{ compressionType: "none" }, { compressionType: null }],
  ])("are bounded: the first of case %$ is legal, the second is not", (legal, illegal) => {
    expect(check(legal)).toMatchObject(legal);
    expect(() => check(illegal)).toThrow(expect.objectContaining({ name: "UsageError", code: "INVALID_ARGUMENT" }));
  });

  it("name the codecs that can be written where one cannot", () => {
    expect(check({ compressionType: "lz4" }, ["lz4"]).compressionType).toBe("lz4");
    expect(() => check({ compressionType: "zstd" }, ["gzip", "lz4"])).toThrow("written are gzip, lz4 and none");
  });
});
