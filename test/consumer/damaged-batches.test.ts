/** Batches that cannot be read as they should: told with their place, and never passed as fewer records. */
import { describe, expect, it } from "vitest";
import type { FetchedPartition } from "../../src/api/broker.ts";
import { CorruptionError, UsageError } from "../../src/base/errors.ts";
import { turnOf } from "../../src/base/turn.ts";
import type { Compression } from "../../src/compression/compression.ts";
import { FetchedRun } from "../../src/consumer/fetched-run.ts";
import { openBatch } from "../../src/consumer/opened-batch.ts";
import { PartitionState } from "../../src/consumer/partition-state.ts";
import { RecordReading, readRecord } from "../../src/consumer/read-record.ts";
import { CorruptBatchError } from "../../src/core/corrupt-batch-error.ts";
import { type Bed, bed, orders } from "./bed.ts";

/** A batch of two records, the second of which claims more bytes than there are, and a sound one behind it. */
async function damaged(): Promise<Bed> {
  const found = await bed();
  found.broker.append(orders, [
    { key: "k", value: "0" },
    { key: "k", value: "1" },
  ]);
  const [batch] = found.broker.partition(orders).batches;
  // Behind the header the first record's length, zigzag: the second record begins behind it.
  const bytes = batch?.bytes as Uint8Array;
  const second = 61 + 1 + ((bytes[61] as number) >> 1);
  bytes[second] = 0x7e;
  found.broker.append(orders, [{ key: "k", value: "2" }]);
  return found;
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was refused",
    (error: unknown) => error,
  );

describe("a record that claims what is not there", () => {
  it("ends every way of reading with the place of the damage, however records may be skipped", async () => {
    for (const onDeserializeError of ["stop", "skip"] as const) {
      const { consumer } = await damaged();
      const reader = consumer({ onDeserializeError });
      await reader.assign([orders]);
      const seen: (string | null)[] = [];
      const records = async (): Promise<void> => {
        for await (const { value } of reader.records({ until: "end" })) seen.push(value);
      };
      const batches = async (): Promise<void> => {
        for await (const batch of reader.batches({ until: "end" })) for (const { value } of batch) seen.push(value);
      };
      const error = await caught(records());
      expect(error).toBeInstanceOf(CorruptionError);
      expect(error).toMatchObject({ message: expect.stringContaining("orders-0") as string });
      expect(seen).toEqual(["0"]);
      expect(await caught(reader.poll({ timeoutMs: 0 }))).toBeInstanceOf(CorruptionError);
      reader.seek(orders, 0);
      expect(await caught(batches())).toBeInstanceOf(CorruptionError);
      reader.seek(orders, 2);
      seen.length = 0;
      await records();
      expect(seen).toEqual(["2"]);
    }
  });

  it("is no answer to a question for a record, and keeps none of its batch", async () => {
    const { broker, consumer } = await damaged();
    const reader = consumer();
    await reader.assign([orders]);
    const first: unknown[] = [];
    for await (const batch of reader.batches()) {
      first.push(...[batch.length]);
      expect(() => [...batch]).toThrow(CorruptionError);
      break;
    }
    expect(first).toEqual([2]);
    expect(broker.partition(orders).endOffset).toBe(3);
  });
});

// What was thrown was the decoder's own error, without a code, a place, or a word of where to go on.
describe("a header that claims what is not there", () => {
  async function withBadHeader(): Promise<Bed> {
    const found = await bed();
    found.broker.append(orders, [
      { key: "k", value: "0" },
      { key: "k", value: "1", headers: [["h", "x"]] },
    ]);
    // The last byte is the header's value; before it, how long that is.
    const bytes = found.broker.partition(orders).batches[0]?.bytes as Uint8Array;
    bytes[bytes.length - 2] = 0x7e;
    found.broker.append(orders, [{ key: "k", value: "2" }]);
    return found;
  }
  const told = { name: "CorruptionError", message: expect.stringMatching(/orders-0: offset 1: its headers/), nextReadableOffset: 2 };

  it("ends every way of reading at its record, however records may be skipped, and a seek goes on behind it", async () => {
    for (const onDeserializeError of ["stop", "skip"] as const) {
      const { broker, consumer } = await withBadHeader();
      const reader = consumer({ onDeserializeError });
      await reader.assign([orders]);
      const iterator = reader.records({ until: "end" });
      expect((await iterator.next()).value).toMatchObject({ value: "0" });
      expect(await caught(iterator.next())).toMatchObject(told);
      reader.seek(orders, 1);
      expect(await caught(reader.poll({ timeoutMs: 0 }))).toMatchObject(told);
      reader.seek(orders, 1);
      const batches = async (): Promise<void> => {
        for await (const batch of reader.batches({ until: "end" })) for (const { headers } of batch) expect(headers).toEqual([]);
      };
      expect(await caught(batches())).toMatchObject(told);
      const serde = { deserialize: String };
      // Twice: fetched, and out of what is kept of that.
      const reading = new RecordReading(broker, broker.compression, turnOf(broker.clock));
      expect(await caught(readRecord(reading, { ...orders, offset: 1 }, serde, serde))).toMatchObject(told);
      expect(await caught(readRecord(reading, { ...orders, offset: 1 }, serde, serde))).toMatchObject(told);
      expect(await readRecord(reading, { ...orders, offset: 0 }, serde, serde)).toMatchObject({ offset: 0, headers: [] });
      reader.seek(orders, 2);
      expect((await reader.poll({ timeoutMs: 0 })).map(({ value }) => value)).toEqual(["2"]);
    }
  });
});

describe("a batch that cannot be opened", () => {
  const state = new PartitionState(orders);
  const place = { baseOffset: 5, lastOffset: 7, at: 100 };
  const failing = (error: unknown): Compression =>
    ({
      decompressBatch: () => {
        throw error;
      },
    }) as unknown as Compression;

  it("says which offsets are lost, and where to go on", () => {
    const open = (error: unknown): (() => unknown) => {
      return () => openBatch(failing(error), state, new Uint8Array(10), place);
    };
    expect(open(new CorruptBatchError("it ends early"))).toThrow(
      expect.objectContaining({ byteRange: [100, 110], offsetRange: [5, 8], nextReadableOffset: 8 }),
    );
    expect(open(new UsageError("UNSUPPORTED_COMPRESSION_TYPE", "no zstd here"))).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_COMPRESSION_TYPE", message: expect.stringContaining("seek to 8") as string }),
    );
    const other = new RangeError("no memory");
    expect(open(other)).toThrow(other);
  });
});

describe("what a fetch answered", () => {
  const run = async (edit: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>, position = 0): Promise<FetchedRun> => {
    const { broker } = await bed();
    broker.appendSingles(orders, 3);
    const request = { partitions: [{ ...orders, offset: 0, maxBytes: 1 << 20 }], minBytes: 0, maxWaitMs: 0, maxBytes: 1 << 20 };
    const { partitions } = await broker.fetch({ ...request, isolation: "readCommitted" });
    const answer = partitions[0] as FetchedPartition;
    const state = new PartitionState(orders);
    state.moveTo(position);
    const options = { fetchOffset: 0, readCommitted: true, compression: broker.compression };
    return new FetchedRun(state, { ...answer, batches: edit(answer.batches.slice()) }, options);
  };

  it("ends with its last whole batch, wherever it is cut", async () => {
    for (const cut of [1, 60]) {
      const cutOff = await run((bytes) => bytes.slice(0, bytes.length - cut));
      expect(cutOff.endOffset).toBe(2);
      expect([cutOff.next()?.lastOffset, cutOff.next()?.lastOffset, cutOff.next()]).toEqual([0, 1, null]);
    }
    const shorter = await run((bytes) => {
      // The first batch claims to be shorter than a header.
      new DataView(bytes.buffer).setInt32(8, 3);
      return bytes;
    });
    expect([shorter.isEmpty, shorter.endOffset]).toEqual([true, 0]);
  });

  it("begins behind what the reader has passed, and refuses offsets that are no numbers here", async () => {
    const behind = await run((bytes) => bytes, 2);
    expect(behind.next()?.baseOffset).toBe(2);
    const unsafe = await run((bytes) => {
      new DataView(bytes.buffer).setBigInt64(0, 2n ** 60n);
      return bytes;
    });
    expect(() => unsafe.next()).toThrow(CorruptionError);
  });
});
