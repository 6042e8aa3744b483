/** Transactions through the face: all or nothing, for records and offsets, whoever reads and whatever goes wrong in between. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Consumer, ConsumerOptions, ConsumerRecord, Odradek } from "../../src/api/index.ts";
import { memory } from "../../src/index.ts";
import { faultyStorage } from "../../src/testing/index.ts";
import { openLog, PLACES, sendAll, valuesIn } from "./support.ts";

const at = (topic: string, partition = 0): { topic: string; partition: number } => ({ topic, partition });

async function read(log: Odradek, topic: string, isolationLevel: ConsumerOptions<string, unknown>["isolationLevel"]): Promise<unknown[]> {
  const consumer = log.consumer({ isolationLevel });
  const { partitions } = await log.describeTopic(topic);
  await consumer.assign(partitions.map(({ partition }) => at(topic, partition)));
  const values: unknown[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value);
  await consumer.close();
  return values;
}

async function valuesOf(log: Odradek, partition: number): Promise<unknown[]> {
  const consumer = log.consumer();
  await consumer.assign([at("orders", partition)]);
  const values: unknown[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value);
  await consumer.close();
  return values;
}

/** Waits until every end that is decided stands in its partitions: a marker that could not be written is tried again a second later. */
async function allEndsWritten(log: Odradek, partitions: readonly number[]): Promise<void> {
  const consumer = log.consumer();
  for (const partition of partitions) {
    await vi.waitFor(
      async () => {
        const { lastStableOffset, highWatermark } = await consumer.watermarks(at("orders", partition));
        expect(lastStableOffset).toBe(highWatermark);
      },
      { timeout: 10_000, interval: 25 },
    );
  }
  await consumer.close();
}

async function refused(call: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> {
  return call.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: Error) => error,
  );
}

describe.each(PLACES)("in $place", ({ make }) => {
  it("what a transaction sent is seen when it has committed, over topics and partitions, and never when it was aborted", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders", { partitions: 3 });
    await log.createTopic("audit");
    const producer = log.producer({ transactionalId: "t" });
    const answer = await producer.transaction(async (tx) => {
      await tx.send({ ...at("orders", 0), value: "a" });
      await tx.sendBatch([0, 1, 2].map((partition) => ({ ...at("orders", partition), value: `b${partition}` })));
      const { offset } = await tx.send({ topic: "audit", value: "c" });
      expect(await read(log, "orders", "readCommitted")).toEqual([]);
      expect(await read(log, "audit", "readUncommitted")).toEqual(["c"]);
      return offset;
    });
    expect(answer).toBe(0);
    expect((await valuesIn(log, "orders")).sort()).toEqual(["a", "b0", "b1", "b2"]);
    const mine = new Error("mine");
    const aborted = producer.transaction(async (tx) => {
      await tx.send({ ...at("orders", 0), value: "never" });
      void tx.send({ topic: "audit", value: "never" });
      throw mine;
    });
    expect(await refused(aborted)).toBe(mine);
    expect(await valuesIn(log, "audit")).toEqual(["c"]);
    expect(await read(log, "audit", "readUncommitted")).toEqual(["c", "never"]);
    await sendAll(log, "audit", ["after"]);
    await log.close();
    const again = await openLog(storage);
    expect(await valuesIn(again, "audit")).toEqual(["c", "after"]);
    expect((await valuesIn(again, "orders")).sort()).toEqual(["a", "b0", "b1", "b2"]);
    await again.producer({ transactionalId: "t" }).transaction((tx) => tx.send({ topic: "audit", value: "again" }));
    expect(await valuesIn(again, "audit")).toEqual(["c", "after", "again"]);
  });

  it("records are copied from topic to topic exactly once, whenever the body fails, over reopens", async () => {
    const storage = make();
    let log = await openLog(storage);
    await log.createTopic("in", { partitions: 2 });
    await log.createTopic("out", { partitions: 2 });
    const count = 60;
    for (const partition of [0, 1]) {
      await sendAll(
        log,
        "in",
        Array.from({ length: count / 2 }, (_, index) => index * 2 + partition),
        partition,
      );
    }
    let attempts = 0;
    for (let life = 0; life < 3; life += 1) {
      const producer = log.producer<string, number>({ transactionalId: "copier" });
      const consumer = log.consumer<string, number>({ groupId: "g", enableAutoCommit: false });
      await consumer.subscribe(["in"]);
      const end = life === 2 ? 5 : 0;
      for (let idle = 0, turns = 0; end === 0 ? turns < 8 : idle < end; turns += 1) {
        const records = await consumer.poll({ maxRecords: 5, timeoutMs: 50 });
        idle = records.length === 0 ? idle + 1 : 0;
        if (records.length === 0) continue;
        attempts += 1;
        const copying = producer.transaction(async (tx) => {
          for (const { value, partition } of records) void tx.send({ topic: "out", partition, value });
          tx.commitOffsets(consumer);
          if (attempts % 3 === 1) throw new Error("the body failed");
        });
        await copying.catch((error: Error) => expect(error.message).toBe("the body failed"));
      }
      await log.close();
      log = await openLog(storage);
    }
    expect(((await valuesIn(log, "out")) as number[]).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
    expect((await read(log, "out", "readUncommitted")).length).toBeGreaterThan(count);
    const { offsets } = await log.describeGroup("g");
    expect(offsets.map(({ nextOffset }) => nextOffset)).toEqual([count / 2, count / 2]);
  });

  it("the older of two producers with one transactionalId is fenced, and says so from then on", async () => {
    const log = await openLog(make());
    await log.createTopic("orders");
    const [older, newer] = [log.producer({ transactionalId: "t" }), log.producer({ transactionalId: "t" })];
    const fenced = older.transaction(async (tx) => {
      await tx.send({ topic: "orders", value: "old" });
      await newer.transaction((its) => its.send({ topic: "orders", value: "new" }));
      await tx.send({ topic: "orders", value: "old too" });
    });
    expect(await refused(fenced)).toMatchObject({ name: "ProducerStateError" });
    for (const call of [() => older.transaction(async () => {}), () => older.send({ topic: "orders", value: 1 }), () => older.flush()]) {
      expect(await refused(call())).toMatchObject({ name: "ProducerStateError", code: "PRODUCER_FENCED" });
    }
    await newer.transaction((tx) => tx.send({ topic: "orders", value: "newer" }));
    expect(await valuesIn(log, "orders")).toEqual(["new", "newer"]);
  });

  it("closing the log aborts what is under way, and leaves nothing open for the next", async () => {
    const storage = make();
    const log = await openLog(storage);
    await log.createTopic("orders");
    const producer = log.producer({ transactionalId: "t" });
    let sent!: () => void;
    const whenSent = new Promise<void>((resolve) => {
      sent = resolve;
    });
    let closed!: () => void;
    const whenClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const done = refused(
      producer.transaction(async (tx) => {
        await tx.send({ topic: "orders", value: "a" });
        sent();
        await whenClosed;
        await tx.send({ topic: "orders", value: "b" });
      }),
    );
    await whenSent;
    await log.close();
    closed();
    expect((await done).code).toBe("PRODUCER_CLOSED");
    const again = await openLog(storage);
    const { partitions } = await again.describeTopic("orders");
    expect(partitions[0]?.lastStableOffset).toBe(partitions[0]?.logEndOffset);
    expect(await valuesIn(again, "orders")).toEqual([]);
  });
});

describe("isolation", () => {
  it("watermarks, lag and until end are each level's own while a transaction is open, and one after it", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    await sendAll(log, "orders", ["before"]);
    const producer = log.producer({ transactionalId: "t" });
    const consumers = (["readCommitted", "readUncommitted"] as const).map((isolationLevel) => log.consumer({ isolationLevel }));
    const [committed, uncommitted] = consumers as [Consumer, Consumer];
    for (const consumer of consumers) await consumer.assign([at("orders")]);
    await producer.transaction(async (tx) => {
      await tx.sendBatch(["a", "b"].map((value) => ({ topic: "orders", value })));
      await sendAll(log, "orders", ["behind it"]);
      expect(await committed.watermarks(at("orders"))).toMatchObject({ lastStableOffset: 1, highWatermark: 4, logEndOffset: 4 });
      expect([await committed.lag(at("orders")), await uncommitted.lag(at("orders"))]).toEqual([1, 4]);
      expect(await read(log, "orders", "readCommitted")).toEqual(["before"]);
      expect(await read(log, "orders", "readUncommitted")).toEqual(["before", "a", "b", "behind it"]);
      expect(await log.read({ ...at("orders"), offset: 1 })).toBe(null);
    });
    expect(await committed.watermarks(at("orders"))).toMatchObject({ lastStableOffset: 5, highWatermark: 5 });
    const values: unknown[] = [];
    for await (const { value } of committed.records({ until: "end" })) values.push(value);
    expect(values).toEqual(["before", "a", "b", "behind it"]);
    expect([await committed.lag(at("orders")), await uncommitted.lag(at("orders"))]).toEqual([0, 5]);
    expect(await log.read({ ...at("orders"), offset: 1 })).toMatchObject({ value: "a" });
  });

  it("a reader of committed records that waits is woken by the commit", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    const producer = log.producer({ transactionalId: "t" });
    const consumer = log.consumer();
    await consumer.assign([at("orders")]);
    const polled = consumer.poll({ timeoutMs: 20_000 });
    let open = true;
    await producer.transaction(async (tx) => {
      await tx.send({ topic: "orders", value: "a" });
      void polled.then(() => expect(open).toBe(false));
      await new Promise((resolve) => setTimeout(resolve, 20));
      open = false;
    });
    expect((await polled).map(({ value }) => value)).toEqual(["a"]);
  });
});

describe("offsets in a transaction", () => {
  const prepare = async (): Promise<{ log: Odradek; consumer: Consumer<string, number> }> => {
    const log = await openLog(memory());
    await log.createTopic("in", { partitions: 2 });
    await log.createTopic("out");
    for (const partition of [0, 1]) await sendAll(log, "in", [0, 1, 2, 3], partition);
    const consumer = log.consumer<string, number>({ groupId: "g", enableAutoCommit: false });
    return { log, consumer };
  };

  it("cover the record in hand, count once committed, and the consumer goes back after an abort, in the loop under way", async () => {
    const { log, consumer } = await prepare();
    await consumer.assign([at("in")]);
    const producer = log.producer<string, number>({ transactionalId: "t" });
    const seen: number[] = [];
    let failures = 2;
    for await (const record of consumer.records({ until: "end" })) {
      seen.push(record.offset);
      const copied = producer.transaction(async (tx) => {
        await tx.send({ topic: "out", value: record.value });
        tx.commitOffsets(consumer);
        if (record.offset === 2 && failures-- > 0) throw new Error("x");
      });
      await copied.catch(() => {});
    }
    expect(seen).toEqual([0, 1, 2, 2, 2, 3]);
    expect(await valuesIn(log, "out")).toEqual([0, 1, 2, 3]);
    expect(await consumer.committed(at("in"))).toBe(4);
  });

  it("up to a record cover that one's partition alone, several records each their own", async () => {
    const { log, consumer } = await prepare();
    await consumer.assign([at("in", 0), at("in", 1)]);
    const records: ConsumerRecord<string, number>[] = [];
    while (records.length < 8) records.push(...(await consumer.poll()));
    const pick = (partition: number, offset: number): ConsumerRecord<string, number> =>
      records.find((record) => record.partition === partition && record.offset === offset) as ConsumerRecord<string, number>;
    const producer = log.producer({ transactionalId: "t" });
    await producer.transaction(async (tx) => tx.commitOffsets(consumer, pick(1, 1)));
    expect([await consumer.committed(at("in", 0)), await consumer.committed(at("in", 1))]).toEqual([null, 2]);
    await producer.transaction(async (tx) => {
      tx.commitOffsets(consumer, pick(0, 0));
      tx.commitOffsets(consumer, pick(1, 3));
      tx.commitOffsets(consumer, pick(1, 2));
    });
    expect([await consumer.committed(at("in", 0)), await consumer.committed(at("in", 1))]).toEqual([1, 3]);
  });

  it("of several consumers stand and fall together", async () => {
    const { log, consumer } = await prepare();
    const other = log.consumer<string, number>({ groupId: "h", enableAutoCommit: false });
    await consumer.assign([at("in", 0)]);
    await other.assign([at("in", 1)]);
    await Promise.all([consumer.poll(), other.poll()]);
    const producer = log.producer({ transactionalId: "t" });
    const failing = producer.transaction(async (tx) => {
      tx.commitOffsets(consumer);
      tx.commitOffsets(other);
      throw new Error("x");
    });
    await refused(failing);
    expect([await consumer.committed(at("in", 0)), await other.committed(at("in", 1))]).toEqual([null, null]);
    expect((await Promise.all([consumer.poll(), other.poll()])).map((records) => records.length)).toEqual([4, 4]);
    await producer.transaction(async (tx) => {
      tx.commitOffsets(consumer);
      tx.commitOffsets(other);
    });
    expect([await consumer.committed(at("in", 0)), await other.committed(at("in", 1))]).toEqual([4, 4]);
  });

  it("of a member that the group has moved on without abort the transaction with a GroupError", async () => {
    const { log, consumer } = await prepare();
    await consumer.subscribe(["in"]);
    const records: ConsumerRecord<string, number>[] = [];
    while (records.length < 8) records.push(...(await consumer.poll()));
    const producer = log.producer<string, number>({ transactionalId: "t" });
    const other = log.consumer<string, number>({ groupId: "g", enableAutoCommit: false });
    const fenced = producer.transaction(async (tx) => {
      tx.commitOffsets(consumer);
      for (const { value } of records) await tx.send({ topic: "out", value });
      // The array is given up, and another member comes: a partition is no longer this one's to commit.
      const polled = consumer.poll({ timeoutMs: 0 });
      await other.subscribe(["in"]);
      await polled;
      while (consumer.assignment().length > 1) await consumer.poll({ timeoutMs: 10 });
    });
    expect(await refused(fenced)).toMatchObject({ name: "GroupError" });
    expect(await valuesIn(log, "out")).toEqual([]);
    const [mine, theirs] = [consumer.assignment(), other.assignment()].map((partitions) => partitions.map(({ partition }) => partition));
    expect([...(mine ?? []), ...(theirs ?? [])].sort()).toEqual([0, 1]);
    for (const each of [consumer, other]) {
      const again: number[] = [];
      for await (const { offset } of each.records({ until: "end" })) again.push(offset);
      expect(again).toEqual([0, 1, 2, 3]);
    }
  });

  it("are refused for a consumer that commits by itself, has no group, or is not ours", async () => {
    const { log } = await prepare();
    const producer = log.producer({ transactionalId: "t" });
    for (const wrong of [log.consumer({ groupId: "g" }), log.consumer(), {} as never]) {
      const done = producer.transaction(async (tx) => tx.commitOffsets(wrong as Consumer<unknown, unknown>));
      expect(await refused(done)).toMatchObject({ name: "UsageError" });
    }
  });
});

describe("any program of transactions", () => {
  const nothing = { sends: [], end: "return" as const, plainBefore: false, fault: 0 as const };
  const PENDING_MARKER = [
    { ...nothing, who: 1, sends: [{ partition: 2, isBatch: false, isAwaited: false }], fault: 2 as const },
    { ...nothing, who: 0 },
    { ...nothing, who: 0, plainBefore: true },
  ];
  const send = fc.record({ partition: fc.nat(2), isBatch: fc.boolean(), isAwaited: fc.boolean() });
  const transaction = fc.record({
    who: fc.nat(1),
    sends: fc.array(send, { maxLength: 6 }),
    end: fc.constantFrom("return", "return", "throw", "bad"),
    plainBefore: fc.boolean(),
    fault: fc.constantFrom(0, 0, 0, 1, 2),
  });

  it("is seen by readers of committed records as those that resolved, whole and in order, and nothing of the others", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(transaction, { minLength: 1, maxLength: 10 }), async (program) => {
        const storage = faultyStorage(memory());
        const log = await openLog(storage);
        await log.createTopic("orders", { partitions: 3 });
        const producers = ["t", "u"].map((transactionalId) => log.producer<string, string>({ transactionalId }));
        const plain = log.producer<string, string>();
        const expected: { readonly partition: number; readonly value: string; readonly doubt: string | null }[] = [];
        for (const [index, { who, sends, end, plainBefore, fault }] of program.entries()) {
          if (plainBefore) {
            await plain.send({ ...at("orders", index % 3), value: `plain ${index}` });
            expected.push({ partition: index % 3, value: `plain ${index}`, doubt: null });
          }
          const mine: [number, string][] = [];
          if (fault > 0) storage.fail({ call: "writeAt", errno: "ENOSPC", name: /^orders-.*log$/, nth: fault });
          const outcome = await (producers[who] as (typeof producers)[0])
            .transaction(async (tx) => {
              for (const [place, { partition, isBatch, isAwaited }] of sends.entries()) {
                const value = `${index}.${place}`;
                mine.push([partition, value]);
                const record = { ...at("orders", partition), value };
                const sent: Promise<unknown> = isBatch ? tx.sendBatch([record]) : tx.send(record);
                if (isAwaited) await sent;
              }
              if (end === "throw") throw new Error("x");
              if (end === "bad") void tx.send({ topic: "nowhere", value: "v" });
            })
            .then(
              () => true,
              () => false,
            );
          storage.mend();
          if (end !== "return") expect(outcome).toBe(false);
          else if (fault === 0) expect(outcome).toBe(true);
          // Where an end failed it may have been decided: then it is kept as a whole, or not at all.
          const doubt = outcome ? null : `${index}`;
          if (outcome || end === "return") for (const [partition, value] of mine) expected.push({ partition, value, doubt });
        }
        await allEndsWritten(log, [0, 1, 2]);
        const seen = await Promise.all([0, 1, 2].map((partition) => valuesOf(log, partition)));
        const isSeen = ({ partition, value }: { readonly partition: number; readonly value: string }): boolean =>
          seen[partition]?.includes(value) === true;
        for (const doubt of new Set(expected.flatMap((each) => each.doubt ?? []))) {
          expect(new Set(expected.filter((each) => each.doubt === doubt).map(isSeen)).size).toBe(1);
        }
        const kept = expected.filter((each) => each.doubt === null || isSeen(each));
        for (const partition of [0, 1, 2])
          expect(seen[partition]).toEqual(kept.filter((each) => each.partition === partition).map(({ value }) => value));
        await log.close();
      }),
      // The example hid a plain record for a second: the marker that would not fit was still to be written, and no transaction came behind it.
      { numRuns: 40, examples: [[PENDING_MARKER]] },
    );
  });
});
