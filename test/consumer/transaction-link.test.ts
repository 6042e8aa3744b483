/** What a transaction asks of a consumer: how far it has come, what counts as committed, and the way back. */
import { describe, expect, it } from "vitest";
import type { Consumer } from "../../src/api/consumer.ts";
import { GroupError, type OdradekError } from "../../src/base/errors.ts";
import { type TransactionLink, transactionLinkOf } from "../../src/base/transaction-link.ts";
import { bed, numbers, orders, valuesToEnd } from "./bed.ts";

const link = (consumer: Consumer<unknown, unknown>): TransactionLink => transactionLinkOf(consumer) as TransactionLink;
const claimed = (consumer: Consumer<unknown, unknown>): (readonly [number, number])[] =>
  link(consumer)
    .claim()
    .offsets.map(({ partition, nextOffset }) => [partition, nextOffset] as const);
const byHand = { groupId: "g", enableAutoCommit: false };
const at = (partition: number): { topic: string; partition: number } => ({ topic: "orders", partition });

function refused(call: () => unknown): OdradekError {
  try {
    call();
  } catch (error) {
    return error as OdradekError;
  }
  throw new Error("it was not refused");
}

/** One that is assigned the partition, which holds so many records, each in a batch of its own. */
async function readerOf(recordCount: number) {
  const { broker, consumer } = await bed();
  broker.appendSingles(orders, recordCount);
  const reader = consumer(byHand);
  await reader.assign([orders]);
  return { broker, reader };
}

describe("a partition that was taken away meanwhile", () => {
  it("is passed over by what was committed of it, and by the way back", async () => {
    const { reader } = await readerOf(3);
    expect(await valuesToEnd(reader)).toEqual(["0", "1", "2"]);
    const gone = { ...at(7), nextOffset: 2 };
    link(reader).committed([gone, { ...orders, nextOffset: 1 }]);
    expect(claimed(reader)).toEqual([[0, 3]]);
    reader.seek(orders, 1);
    await valuesToEnd(reader);
    link(reader).rewind([gone]);
    expect(await valuesToEnd(reader)).toEqual(["1", "2"]);
  });
});

describe("a claim", () => {
  it("covers everything delivered, the record or batch in hand included, and nothing that was not", async () => {
    const { broker, consumer } = await bed();
    for (let batch = 0; batch < 4; batch += 1) broker.append(orders, [{ value: "a" }, { value: "b" }]);
    const reader = consumer(byHand);
    await reader.assign([orders]);
    expect(claimed(reader)).toEqual([]);
    for await (const { offset } of reader) {
      expect(claimed(reader)).toEqual([[0, offset + 1]]);
      if (offset === 2) break;
    }
    // Left in hand, it is delivered again.
    expect(claimed(reader)).toEqual([[0, 2]]);
    for await (const batch of reader.batches()) {
      expect(claimed(reader)).toEqual([[0, batch.lastOffset + 1]]);
      break;
    }
    const polled = await reader.poll({ maxRecords: 3 });
    expect(claimed(reader)).toEqual([[0, (polled.at(-1)?.offset as number) + 1]]);
  });

  it("is less where upTo says so: its partition alone, up to it", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(at(0), 3);
    broker.appendSingles(at(1), 3);
    const reader = consumer(byHand);
    await reader.assign([at(0), at(1)]);
    const records = [];
    while (records.length < 6) records.push(...(await reader.poll()));
    const second = records.find(({ partition, offset }) => partition === 1 && offset === 1);
    expect(link(reader).claim(second).offsets).toEqual([{ ...at(1), nextOffset: 2 }]);
    expect(new Map(claimed(reader))).toEqual(
      new Map([
        [0, 3],
        [1, 3],
      ]),
    );
    expect(refused(() => link(reader).claim([{ ...at(1), nextOffset: 2 }] as never)).code).toBe("INVALID_ARGUMENT");
    expect(refused(() => link(reader).claim({ ...at(7), offset: 1 } as never))).toBeInstanceOf(GroupError);
  });

  it("is refused without a groupId, with auto-commit, and once the consumer is closed", async () => {
    const { consumer } = await bed();
    expect(refused(() => link(consumer()).claim()).code).toBe("NO_GROUP");
    expect(refused(() => link(consumer({ groupId: "g" })).claim())).toMatchObject({ name: "UsageError", code: "INVALID_REQUEST" });
    const reader = consumer(byHand);
    await reader.assign([orders]);
    await reader.close();
    expect(refused(() => link(reader).claim()).code).toBe("CONSUMER_CLOSED");
    expect(transactionLinkOf({})).toBe(null);
  });

  it("names the member of a group and its generation, and none while the group has put it out", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    const reader = consumer(byHand);
    await reader.subscribe(["orders"]);
    await reader.poll();
    const { member } = link(reader).claim();
    expect(member).toMatchObject({ groupId: "g", generation: 1 });
    expect(member.memberId).not.toBe("");
    await broker.leaveGroup({ groupId: "g", members: [{ memberId: member.memberId, groupInstanceId: null }] });
    // Put out, it is nobody for a while, and then another one: what it had claimed as the first is refused by its generation.
    const now = (): string => {
      try {
        return link(reader).claim().member.memberId;
      } catch (error) {
        expect(error).toMatchObject({ name: "GroupError", code: "UNKNOWN_MEMBER_ID" });
        return member.memberId;
      }
    };
    while (now() === member.memberId) await reader.poll({ timeoutMs: 10 }).catch(() => {});
    expect(link(reader).claim().member.generation).toBeGreaterThan(1);
  });
});

describe("a commit in a transaction", () => {
  it("counts for the consumer as its own", async () => {
    const { broker, reader } = await readerOf(5);
    await reader.poll({ maxRecords: 3 });
    const { offsets } = link(reader).claim();
    broker.committed.set("g", new Map([["orders-0", 3]]));
    link(reader).committed(offsets);
    expect(claimed(reader)).toEqual([]);
    await reader.commit();
    expect(broker.commits).toEqual([]);
    await reader.poll({ maxRecords: 1 });
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 }))[0]?.offset).toBe(3);
  });
});

describe("a rewind", () => {
  it("leads back to where the consumer began, when nothing was committed", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 5);
    const latest = consumer({ ...byHand, groupId: "late", autoOffsetReset: "latest" });
    await latest.assign([orders]);
    broker.appendSingles(orders, 3, 5);
    expect((await latest.poll()).map(({ value }) => value)).toEqual(numbers(5, 8));
    link(latest).rewind();
    expect((await latest.poll()).map(({ value }) => value)).toEqual(numbers(5, 8));
    const reader = consumer(byHand);
    await reader.assign([orders]);
    await reader.poll({ maxRecords: 2 });
    link(reader).rewind();
    expect(await valuesToEnd(reader)).toEqual(numbers(0, 8));
  });

  it("leads back to what the group has committed, by whomever", async () => {
    const { broker, reader } = await readerOf(6);
    await reader.poll({ maxRecords: 2 });
    await reader.commit();
    await reader.poll({ maxRecords: 2 });
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 }))[0]?.offset).toBe(2);
    // A transaction whose end was not told has been committed after all.
    broker.committed.get("g")?.set("orders-0", 5);
    link(reader).rewind();
    expect(await valuesToEnd(reader)).toEqual(["5"]);
  });

  it("where the end of the transaction was not told leads to its offsets if the group has them, else back as after an abort", async () => {
    const { broker, reader } = await readerOf(6);
    await reader.poll({ maxRecords: 2 });
    // Nothing was committed, and it began at 0.
    link(reader).rewind(link(reader).claim().offsets);
    expect((await reader.poll({ maxRecords: 2 })).map(({ offset }) => offset)).toEqual([0, 1]);
    const { offsets } = link(reader).claim();
    broker.committed.set("g", new Map([["orders-0", 2]]));
    link(reader).rewind(offsets);
    expect((await reader.poll({ maxRecords: 1 })).map(({ offset }) => offset)).toEqual([2]);
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 })).map(({ offset }) => offset)).toEqual([2]);
    reader.seek(orders, 4);
    await reader.poll({ maxRecords: 1 });
    link(reader).rewind(link(reader).claim().offsets);
    expect((await reader.poll({ maxRecords: 1 })).map(({ offset }) => offset)).toEqual([4]);
  });

  it("leads back to the last seek, where there was one since", async () => {
    const { reader } = await readerOf(6);
    await reader.poll({ maxRecords: 2 });
    await reader.commit();
    reader.seek(orders, 4);
    await reader.poll({ maxRecords: 1 });
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 }))[0]?.offset).toBe(4);
    reader.seek(orders, "earliest");
    await reader.poll({ maxRecords: 1 });
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 }))[0]?.offset).toBe(0);
    await reader.commit();
    await reader.poll({ maxRecords: 1 });
    link(reader).rewind();
    expect((await reader.poll({ maxRecords: 1 }))[0]?.offset).toBe(1);
  });

  it("goes on in the iteration under way, of records and of batches", async () => {
    const { reader } = await readerOf(4);
    const seen: number[] = [];
    for await (const { offset } of reader.records({ until: "end" })) {
      seen.push(offset);
      if (seen.length === 3) link(reader).rewind();
    }
    expect(seen).toEqual([0, 1, 2, 0, 1, 2, 3]);
    seen.length = 0;
    link(reader).rewind();
    for await (const { firstOffset } of reader.batches({ until: "end" })) {
      seen.push(firstOffset);
      if (seen.length === 2) link(reader).rewind();
    }
    expect(seen).toEqual([0, 1, 0, 1, 2, 3]);
  });

  it("does not touch what was lost meanwhile", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(at(0), 3);
    broker.appendSingles(at(1), 3);
    const reader = consumer(byHand);
    await reader.assign([at(0), at(1)]);
    await reader.poll();
    await reader.assign([at(1)]);
    link(reader).rewind();
    expect(reader.assignment()).toEqual([at(1)]);
    expect(await valuesToEnd(reader)).toEqual(numbers(0, 3));
  });
});
