/** A record that is asked for while its reader is held back, or from a broker that knows less than it was asked. */
import { describe, expect, it, vi } from "vitest";
import { StorageError, UsageError } from "../../src/base/errors.ts";
import { utf8 } from "../../src/base/serdes/utf8.ts";
import { turnOf } from "../../src/base/turn.ts";
import { RecordReading, readRecord } from "../../src/consumer/read-record.ts";
import { bed, orders } from "./bed.ts";
import { FakeBroker } from "./fake-broker.ts";

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );

describe("readRecord", () => {
  it("asks again for what a quota held back, and takes no answer for no record", async () => {
    const broker = await FakeBroker.create();
    broker.addTopic("orders", 1);
    broker.appendSingles(orders, 1);
    const fetch = vi.spyOn(broker, "fetch");
    const reading = new RecordReading(broker, broker.compression, turnOf(broker.clock));
    const read = () => readRecord(reading, { ...orders, offset: 0 }, utf8, utf8);
    const empty = { ...orders, fault: null, watermarks: {} as never, abortedTransactions: [], batches: new Uint8Array(0) };
    fetch.mockResolvedValueOnce({ partitions: [], throttleTimeMs: 5 });
    expect(await read()).toBeNull();
    const fault = { code: "STORAGE_FAILED", message: "the disk", details: {} };
    fetch.mockResolvedValueOnce({ partitions: [{ ...empty, fault: fault as never }], throttleTimeMs: 5 });
    expect(await caught(read())).toMatchObject({ code: "STORAGE_FAILED" });
    fetch.mockClear();
    fetch.mockResolvedValueOnce({ partitions: [empty], throttleTimeMs: 5 });
    expect((await read())?.value).toBe("0");
    expect(fetch.mock.calls.map(([{ maxWaitMs }]) => maxWaitMs)).toEqual([0, 5]);
  });
});

describe("readRecord of a topic that is made anew while it is asked for", () => {
  // The id was asked for behind the records: those of the old topic were kept under the new one's, and given for good.
  it("keeps nothing of the old one for the new one", async () => {
    const broker = await FakeBroker.create();
    broker.addTopic("orders", 1);
    broker.appendSingles(orders, 1);
    const reading = new RecordReading(broker, broker.compression, turnOf(broker.clock));
    const read = async () => (await readRecord(reading, { ...orders, offset: 0 }, utf8, utf8))?.value;
    let isMadeAnew = false;
    /** Between the two answers that the first read asks for, whichever comes first. */
    const makeAnew = (): void => {
      if (isMadeAnew) return;
      isMadeAnew = true;
      broker.removeTopic("orders");
      broker.addTopic("orders", 1);
      broker.appendSingles(orders, 1, 1);
    };
    for (const name of ["metadata", "fetch"] as const) {
      const call = broker[name].bind(broker) as (...given: unknown[]) => Promise<unknown>;
      vi.spyOn(broker, name).mockImplementation((async (...given: unknown[]) => {
        const answer = await call(...given);
        makeAnew();
        return answer;
      }) as never);
    }
    await read();
    expect(await read()).toBe("1");
  });
});

describe("a reader", () => {
  it("without a group is told that its topic is gone, and that its positions cannot be had", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 1);
    const reader = consumer();
    await reader.assign([orders]);
    broker.removeTopic("orders");
    expect(await caught(reader.records().next())).toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
    broker.addTopic("orders");
    const other = consumer();
    const list = vi.spyOn(broker, "listOffsets").mockRejectedValue(new StorageError("STORAGE_FAILED", "the disk"));
    await other.assign([orders]);
    expect(await caught(other.records().next())).toMatchObject({ code: "STORAGE_FAILED" });
    list.mockRestore();
    expect(await other.position(orders)).toBe(0);
  });

  it("forgets what went wrong where it was moved meanwhile", async () => {
    const { broker, consumer } = await bed();
    broker.appendSingles(orders, 2);
    broker.partition(orders).fault = { at: 0, error: new UsageError("CORRUPT_MESSAGE", "damage") };
    const reader = consumer();
    await reader.assign([orders]);
    expect(await reader.poll({ timeoutMs: 0 }).catch(() => "refused")).toBeDefined();
    broker.partition(orders).fault = null;
    reader.seek(orders, 1);
    expect((await reader.poll({ timeoutMs: 1000 })).map(({ value }) => value)).toEqual(["1"]);
  });

  it("of a group that nobody has joined yet gives nothing, and does not wait", async () => {
    const { consumer } = await bed();
    const first = consumer({ groupId: "g" });
    await first.subscribe(["orders"]);
    const second = consumer({ groupId: "g" });
    await second.subscribe(["orders"]);
    expect(await second.poll({ timeoutMs: 0 })).toEqual([]);
  });
});
