/** What comes between: a seek while something is looked up, fetched or given, ends that were told too low, and brokers that answer in another order. */
import { describe, expect, it } from "vitest";
import { OdradekError, StorageError } from "../../src/base/errors.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { Session } from "../../src/consumer/session.ts";
import { ManualClock } from "../../src/testing/index.ts";
import { bed, orders, valuesToEnd } from "./bed.ts";

const partition = (number: number) => ({ topic: "orders", partition: number });
const noBad = {
  deserialize: (bytes: Uint8Array): string => {
    const text = new TextDecoder().decode(bytes);
    if (text.startsWith("bad")) throw new TypeError(`${text} is bad`);
    return text;
  },
};

/** Runs `work` after so many promises have settled one after another. */
async function after(count: number, work: () => void): Promise<void> {
  for (let index = 0; index < count; index++) await null;
  work();
}

describe("a seek", () => {
  // Far more than a fetch takes here: it comes before, between and behind every step of it.
  it.each(["poll", "records", "batches"] as const)("is followed whenever it comes while %s() looks for the next", async (way) => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 6);
    const reader = consumer({ value: noBad, onDeserializeError: async () => "skip" as const });
    await reader.assign([orders]);
    const iterator = way === "batches" ? reader.batches() : reader.records();
    const next = async (): Promise<number> => {
      if (way === "poll") return (await reader.poll({ maxRecords: 1 }))[0]?.offset as number;
      const { value } = (await iterator.next()) as { value: { offset: number; firstOffset: number } };
      return way === "records" ? value.offset : value.firstOffset;
    };
    const seen = new Set<number>();
    for (let count = 0; count < 60; count++) {
      reader.seek(orders, 0);
      const first = next();
      const sought = after(count, () => reader.seek(orders, 3));
      seen.add(await first);
      await sought;
      const second = await next();
      expect(second, `a seek after ${count} steps`).toBe((await first) === 3 ? 4 : 3);
    }
    expect([...seen].sort()).toEqual([0, 3]);
  });

  it("that comes while the way out of a range is looked for stands", async () => {
    const { broker, consumer, events } = await bed();
    broker.appendSingles(orders, 3);
    const reader = consumer();
    await reader.assign([orders]);
    const listOffsets = broker.listOffsets.bind(broker);
    broker.listOffsets = (request) => {
      broker.listOffsets = listOffsets;
      reader.seek(orders, 1);
      return listOffsets(request);
    };
    reader.seek(orders, 99);
    expect((await reader.poll({ maxRecords: 1 })).map(({ value }) => value)).toEqual(["1"]);
    expect(events).toEqual([]);
  });

  it("past what could not be read mends it, when that was known and not told yet", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 1);
    broker.appendSingles(partition(1), 2, 10);
    broker.partition(partition(1)).fault = { at: 0, error: new StorageError("KAFKA_STORAGE_ERROR", "a bad sector") };
    const reader = consumer();
    await reader.assign([partition(0), partition(1)]);
    expect((await reader.poll()).map(({ value }) => value)).toEqual(["0"]);
    reader.seek(partition(1), 1);
    expect((await reader.poll()).map(({ value }) => value)).toEqual(["11"]);
  });
});

describe("poll with no time", () => {
  it("finds nothing where all is paused", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer();
    await reader.assign([orders]);
    reader.pause();
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    reader.resume();
    expect(await reader.poll({ timeoutMs: 0 })).toHaveLength(1);
  });

  it("does not wait for a transaction that may still move the group's offsets, and nothing else waits that need not", async () => {
    const { broker, consumer } = await bed(1, new ManualClock());
    broker.appendSingles(orders, 2);
    const reader = consumer({ groupId: "g", enableAutoCommit: false });
    const offsetFetch = broker.offsetFetch.bind(broker);
    let isMoved = false;
    broker.offsetFetch = async () => {
      if (isMoved) reader.resume();
      throw new OdradekError("UNSTABLE_OFFSET_COMMIT", "a transaction is open");
    };
    await reader.assign([orders]);
    expect(await reader.poll({ timeoutMs: 0 })).toEqual([]);
    isMoved = true;
    const next = reader.records().next();
    broker.offsetFetch = offsetFetch;
    // The clock stands still: what changed meanwhile is looked at without a wait.
    expect((await next).value).toMatchObject({ value: "0" });
  });
});

describe("an iteration until the end", () => {
  it("leaves for the next what is at hand behind the end that it was told", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "a" }, { value: "b" }, { value: "c" }]);
    const reader = consumer();
    await reader.assign([orders]);
    expect((await reader.poll({ maxRecords: 1 })).map(({ value }) => value)).toEqual(["a"]);
    const listOffsets = broker.listOffsets.bind(broker);
    broker.listOffsets = async (request) => (await listOffsets(request)).map((each) => ({ ...each, offset: 1 }));
    expect(await valuesToEnd(reader)).toEqual([]);
    broker.listOffsets = listOffsets;
    expect(await valuesToEnd(reader)).toEqual(["b", "c"]);
  });

  it("is not held up by what went wrong in a partition that it has read to its end, which the next iteration meets", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 1);
    const reader = consumer();
    await reader.assign([partition(0), partition(1)]);
    const fetch = broker.fetch.bind(broker);
    broker.fetch = async (request, signal) => {
      broker.fetch = fetch;
      const { partitions, throttleTimeMs } = await fetch(request, signal);
      const fault = { name: "StorageError", code: "KAFKA_STORAGE_ERROR", message: "a bad sector", details: {} };
      return { throttleTimeMs, partitions: partitions.map((each) => (each.partition === 1 ? { ...each, fault } : each)) };
    };
    const iterator = reader.records();
    expect((await iterator.next()).value).toMatchObject({ value: "0" });
    await iterator.return?.();
    expect(await valuesToEnd(reader)).toEqual(["0"]);
    await expect(reader.records().next()).rejects.toThrow(/a bad sector/);
  });

  it("takes nothing of a partition whose end it has not heard of", () => {
    const session = new Session("records()", { untilEnd: true });
    expect(session.finished(new PartitionState(orders), 0)).toBe(true);
  });
});

describe("a broker", () => {
  it("may answer in another order than it was asked", async () => {
    const { broker, consumer } = await bed(2);
    broker.appendSingles(partition(0), 2);
    broker.appendSingles(partition(1), 2, 10);
    const fetch = broker.fetch.bind(broker);
    broker.fetch = async (request, signal) => {
      const { partitions, throttleTimeMs } = await fetch(request, signal);
      return { partitions: [...partitions].reverse(), throttleTimeMs };
    };
    const reader = consumer();
    await reader.assign([partition(0), partition(1)]);
    expect((await valuesToEnd(reader)).sort()).toEqual(["0", "1", "10", "11"]);
  });
});

describe("batches() with a function for what does not deserialize", () => {
  it("ends with the record's own error where the function says stop, and goes on from there in a new loop", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "0" }, { value: "bad1" }]);
    broker.append(orders, [{ value: "2" }]);
    const answers: ("stop" | "skip")[] = ["stop", "skip"];
    const reader = consumer({ value: noBad, onDeserializeError: async () => answers.shift() ?? "stop" });
    await reader.assign([orders]);
    await expect(reader.batches().next()).rejects.toMatchObject({ name: "SerdeError", record: { offset: 1 } });
    const values: (string | null)[] = [];
    for await (const batch of reader.batches({ until: "end" })) for (const { value } of batch) values.push(value);
    expect(values).toEqual(["0", "2"]);
  });
});
