/** What a producer meets seldom: a serializer or a getter that uses the log itself, a broker that does not answer, a clock or a core that is wrong. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { TopicMetadata } from "../../src/api/broker.ts";
import { CoreFaultError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serde.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { Accumulator } from "../../src/producer/accumulator.ts";
import { Idempotence } from "../../src/producer/idempotence.ts";
import { Numbering } from "../../src/producer/numbering.ts";
import type { ProducerBroker } from "../../src/producer/producer-broker.ts";
import { TopicDirectory, type TopicEntry } from "../../src/producer/topic-directory.ts";
import { WaitingLine } from "../../src/producer/waiting-line.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { gate, makeWorld, refusal, seeded } from "./world.ts";

const topic = "orders";
afterEach(() => {
  vi.restoreAllMocks();
});

describe("memory that is full", () => {
  it("makes a record wait whose batch has begun, in its place", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 2);
    const sender = producer({ bufferMemory: 400, lingerMs: 60_000 });
    await Promise.all([sender.send({ topic, partition: 0, value: "known" }), sender.flush()]);
    const lingering = [0, 1].map((partition) => sender.send({ topic, partition, value: "x".repeat(100) }));
    const waiting = sender.send({ topic, partition: 0, value: "y".repeat(80) });
    await Promise.all(lingering);
    await Promise.all([waiting, sender.flush()]);
    expect(broker.values(topic, 0).map((text) => text?.[0])).toStrictEqual(["k", "x", "y"]);
  });

  it("makes a sendBatch wait that would else have gone within its call, whole or in pieces", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const held = gate();
    const sender = producer({ bufferMemory: 500, batchSize: 0 });
    await sender.send({ topic, value: "known" });
    broker.onProduce = () => held.opened;
    const before = sender.send({ topic, value: "x".repeat(250) });
    await settled();
    const one = sender.sendBatch([{ topic, value: "y".repeat(150) }]);
    await settled();
    expect(broker.batches).toHaveLength(2);
    held.open();
    await Promise.all([before, one]);
    const many = sender.sendBatch(Array.from({ length: 30 }, (_, index) => ({ topic, value: `z${index}`.padEnd(60) })));
    expect((await many).map(({ offset }) => offset)).toStrictEqual(Array.from({ length: 30 }, (_, index) => 3 + index));
    expect(broker.values(topic).map((text) => text?.[0])).toStrictEqual(["k", "x", "y", ...new Array(30).fill("z")]);
  });
});

describe("a broker", () => {
  it("that does not answer about the topic is named as what was waited for", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const held = gate();
    broker.onMetadata = () => held.opened;
    for (const send of [
      () => producer({ maxBlockMs: 100 }).send({ topic, value: "v" }),
      () => producer({ maxBlockMs: 100 }).sendBatch([{ topic, value: "v" }]),
    ]) {
      const refused = refusal(send());
      await clock.advance(100);
      expect(await refused).toMatchObject({
        code: "BUFFER_EXHAUSTED",
        message: expect.stringContaining("no answer about the topic") as string,
      });
    }
    held.open();
  });

  it("that fails in a way of its own under acks 0 is told by an event", async () => {
    const { broker, events, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer({ acks: 0, value: utf8 });
    const odd = new Error("of no kind that is known");
    broker.refuse = () => odd;
    await sender.send({ topic, value: "v" });
    await sender.flush();
    expect(events).toMatchObject([{ type: "send.failed", fields: { code: "UNKNOWN_SERVER_ERROR", message: odd.message, error: odd } }]);
  });
});

describe("a record", () => {
  it("whose getter sends through another producer keeps its own key, with a value and without", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    broker.makeTopic("audit", 1);
    const audit = producer();
    await audit.send({ topic: "audit", key: "known", value: "known" });
    const inner: Promise<unknown>[] = [];
    const sender = producer({ key: utf8, value: utf8 });
    const record = (key: string, value: string | null) => ({
      topic,
      key,
      value,
      get timestamp() {
        inner.push(audit.send({ topic: "audit", key: "x".repeat(50), value: "inner" }));
        return 5;
      },
    });
    await sender.send(record("tombstone", null));
    await sender.send(record("full", "value"));
    await Promise.all(inner);
    const text = (part: Uint8Array | null): string | null => (part === null ? null : Buffer.from(part).toString());
    expect(broker.records(topic).map(({ key, value }) => [text(key), text(value)])).toStrictEqual([
      ["tombstone", null],
      ["full", "value"],
    ]);
  });

  it("whose getter lets another producer's batch go is written whole, though the writer was taken under it", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    broker.makeTopic("audit", 1);
    const audit = producer({ lingerMs: 60_000 });
    const sender = producer();
    await Promise.all([audit.send({ topic: "audit", value: "known" }), audit.flush(), sender.send({ topic, value: "known" })]);
    const lingering = audit.send({ topic: "audit", value: "lingering" });
    let flushing: Promise<void> | null = null;
    await sender.sendBatch([
      { topic, value: "a" },
      {
        topic,
        get value() {
          flushing ??= audit.flush();
          return "b";
        },
      },
    ]);
    await Promise.all([lingering, flushing]);
    expect(broker.values(topic)).toStrictEqual(["known", "a", "b"]);
    expect(broker.values("audit")).toStrictEqual(["known", "lingering"]);
  });

  it("whose serializer throws what is no error is refused all the same, with what was thrown", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const value = {
      serialize: (): never => {
        throw "a word";
      },
    };
    expect(await refusal(producer({ value }).send({ topic, value: "v" }))).toMatchObject({
      code: "SERIALIZATION_FAILED",
      message: expect.stringMatching(/could not be made into bytes: "a word"/) as string,
      cause: "a word",
    });
  });

  it("sent by a clock that stands before 1970 has no time", async () => {
    const { broker, producer } = makeWorld(new ManualClock(-5));
    broker.makeTopic(topic, 1);
    expect(await producer().send({ topic, value: "v" })).toMatchObject({ timestamp: -1 });
    expect(broker.records(topic)[0]?.timestamp).toBe(-1);
  });

  it("that cannot be taken in for want of memory rejects its own send alone", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    await sender.send({ topic, value: "known" });
    const full = new RangeError("Array buffer allocation failed");
    vi.spyOn(Accumulator.prototype, "add").mockImplementationOnce(() => {
      throw full;
    });
    await expect(sender.send({ topic, value: "v" })).rejects.toBe(full);
    await sender.send({ topic, value: "goes on" });
    expect(broker.values(topic)).toStrictEqual(["known", "goes on"]);
  });

  it("is told where the core fails before its batch is written, and the next goes on", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    await sender.send({ topic, value: "known" });
    const fault = new CoreFaultError("CORE_FAULT", "a trap");
    const writer = Object.getPrototypeOf((await loadCore()).writer) as { begin(): void };
    vi.spyOn(writer, "begin").mockImplementationOnce(() => {
      throw fault;
    });
    const told: unknown[] = [];
    const note = (outcome: unknown): number => told.push(outcome);
    void sender.send({ topic, value: "v" }).then(note, note);
    await settled();
    expect(told).toEqual([fault]);
    await sender.send({ topic, value: "goes on" });
    expect(broker.values(topic)).toStrictEqual(["known", "goes on"]);
  });

  it("is not handed over in a batch that the core wrote otherwise than it was reckoned", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    const writer = Object.getPrototypeOf((await loadCore()).writer) as { finish(): Uint8Array };
    vi.spyOn(writer, "finish").mockReturnValueOnce(new Uint8Array(3));
    expect(await refusal(sender.send({ topic, value: "v" }))).toMatchObject({
      code: "CORE_FAULT",
      message: expect.stringMatching(/a batch for orders-0: expected \d+ bytes, the core wrote 3/) as string,
    });
    await sender.send({ topic, value: "goes on" });
    expect(broker.values(topic)).toStrictEqual(["goes on"]);
  });
});

describe("an identity", () => {
  it("is asked for without end where nothing bounds the wait, and there is none before", async () => {
    const { broker, clock } = makeWorld();
    const made = new Idempotence(broker, clock, { transactionalId: undefined, maxBlockMs: Number.POSITIVE_INFINITY });
    expect(() => made.identity).toThrow(expect.objectContaining({ code: "INVALID_TXN_STATE" }));
    made.renew();
    made.forget(new Numbering());
    expect(made.isReady).toBe(false);
    const asking = made.ask();
    expect(clock.pendingCount).toBe(0);
    await asking;
    expect(made.isReady).toBe(true);
  });

  it("stays where a topic is forgotten that nothing was numbered of, and changes where the broker says another one", async () => {
    const { broker, clock } = makeWorld();
    const made = new Idempotence(broker, clock, { transactionalId: undefined, maxBlockMs: 1000 });
    await made.ask();
    const { identity } = made;
    made.forget(new Numbering());
    made.goOnWith({ ...identity });
    expect(made.identity).toBe(identity);
    made.goOnWith({ ...identity, producerEpoch: identity.producerEpoch + 1 });
    expect(made.identity).toEqual({ ...identity, producerEpoch: identity.producerEpoch + 1 });
  });
});

describe("what is known of topics", () => {
  function directory(onForgotten: (entry: TopicEntry) => void = () => {}): { readonly known: TopicDirectory; readonly asked: string[] } {
    const asked: string[] = [];
    const metadata = async (names: readonly string[]): Promise<Partial<TopicMetadata>[]> => {
      asked.push(...names);
      return names.map((name) => ({ name, internal: false, partitionCount: 1, maxMessageBytes: 1000, requiresKey: false }));
    };
    const broker = { metadata } as unknown as ProducerBroker;
    return { known: new TopicDirectory(broker, new ManualClock(), seeded(7), onForgotten), asked };
  }

  it("is asked for once by those who ask at the same time", async () => {
    const { known, asked } = directory();
    const [one, other] = await Promise.all([known.refresh(topic), known.refresh(topic)]);
    expect(one).toBe(other);
    expect(asked).toEqual([topic]);
  });

  it("is not dropped to make room while a batch is being collected", async () => {
    const forgotten: string[] = [];
    const { known } = directory(({ name }) => forgotten.push(name));
    const first = await known.refresh("0");
    first.pending[0] = {} as NonNullable<(typeof first.pending)[0]>;
    for (let index = 1; index <= 10_000; index += 1) await known.refresh(String(index));
    expect(forgotten).toEqual(["1"]);
    expect(known.recent("0")).toBe(first);
  });
});

describe("those who wait in line", () => {
  it("are looked at once more where something came free while the first was being asked", () => {
    const line = new WaitingLine(new ManualClock(), 1000);
    const asked: string[] = [];
    line.add({
      advance: () => {
        asked.push("first");
        line.advance();
        return asked.length > 1;
      },
      expire: () => {},
    });
    expect(asked).toEqual(["first", "first"]);
    expect(line.isEmpty).toBe(true);
  });
});
