/** Records in the internal topics as other writers may leave them: what is not ours is passed over, and what cannot be read is told. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { coordinatorPartition } from "../../src/base/java-hash.ts";
import { encodeOffsetValue } from "../../src/group/schemas/offset-commit-value.ts";
import { encodeOffsetKey } from "../../src/group/schemas/record-key.ts";
import { memory } from "../../src/storage/memory.ts";
import { encodeTransactionKey } from "../../src/transaction/schemas/transaction-key.ts";
import { encodeTransactionValue } from "../../src/transaction/schemas/transaction-value.ts";
import { newlyInitialized, type TransactionMetadata } from "../../src/transaction/transaction-metadata.ts";
import { batchAround } from "../compression/support.ts";
import { type SlowBatch, slowBatchBytes, withChecksum } from "../core/twin/batch.ts";
import { bytesOf, core, put } from "../log/books/support.ts";
import { commit, NOW_MS, openEngine } from "../simulation/engine-rig.ts";
import { committedOffset, TestProducer } from "../simulation/transaction-rig.ts";

interface Pair {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** Batches at the offsets that follow each other. */
class Segment {
  readonly #parts: Uint8Array[] = [];
  #nextOffset = 0;

  records(pairs: readonly Pair[], facts: Partial<SlowBatch> = {}): this {
    const bytes = slowBatchBytes({
      baseOffset: BigInt(this.#nextOffset),
      leaderEpoch: 0,
      attributes: 0,
      lastOffsetDelta: pairs.length - 1,
      baseTimestamp: BigInt(NOW_MS),
      maxTimestamp: BigInt(NOW_MS),
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      records: pairs.map((pair, offsetDelta) => ({ offsetDelta, timestampDelta: 0n, ...pair, headers: [] })),
      ...facts,
    });
    this.#nextOffset += pairs.length;
    this.#parts.push(bytes);
    return this;
  }

  /** A batch of one record that says it is compressed, around bytes that nothing was compressed to. */
  noise(codec: number): this {
    const bytes = batchAround(core, new Uint8Array(40).fill(0xa5), codec, 1);
    const view = new DataView(bytes.buffer);
    view.setBigInt64(0, BigInt(this.#nextOffset));
    view.setInt32(12, 0);
    this.#nextOffset += 1;
    this.#parts.push(withChecksum(bytes));
    return this;
  }

  write(storage: StorageDriver, topic: string, id: string): Promise<void> {
    const name = `${topic}-${coordinatorPartition(id)}/00000000000000000000.log`;
    return put(storage, name, Buffer.concat(this.#parts));
  }
}

const offsetOf = (groupId: string, nextOffset: number): Pair => ({
  key: encodeOffsetKey(groupId, "orders", 0),
  value: encodeOffsetValue({ nextOffset, leaderEpoch: -1, metadata: "", commitTimestamp: NOW_MS }),
});
const stateOf = (id: string, producerId: bigint, more: Partial<TransactionMetadata>): Pair => ({
  key: encodeTransactionKey(id),
  value: encodeTransactionValue({ ...newlyInitialized(producerId, 60_000, NOW_MS), ...more }),
});
const CONTROL = 0x20;

describe("__consumer_offsets as another writer left it", () => {
  it("says what it says, whatever stands between its records: one without a key, control records that are no markers", async () => {
    const storage = memory();
    await new Segment()
      .records([{ key: null, value: new Uint8Array(3) }, offsetOf("g", 3)])
      .records([{ key: Uint8Array.of(0, 0, 0, 9), value: null }], { attributes: CONTROL })
      .records([{ key: null, value: null }], { attributes: CONTROL })
      .records([offsetOf("g", 5)])
      .write(storage, "__consumer_offsets", "g");
    const life = await openEngine(storage);
    expect(await committedOffset(life, "g", "orders", 0)).toBe(5);
    expect(life.events.filter(({ type }) => type === "book.rebuilt")).toEqual([]);
    await life.engine.close();
  });

  it("whose last records are missing is read as far as it goes, and what is not there is told of", async () => {
    const storage = memory();
    await new Segment().records([offsetOf("g", 3)]).write(storage, "__consumer_offsets", "g");
    const directory = `__consumer_offsets-${coordinatorPartition("g")}`;
    await put(storage, `${directory}/00000000000000000010.log`, new Uint8Array(0));
    await put(storage, `${directory}/partition.metadata`, bytesOf("version: 0\ntopic_id: q83vASNFZ4mrze8BI0VniQ\n"));
    const life = await openEngine(storage);
    expect(await committedOffset(life, "g", "orders", 0)).toBe(3);
    expect(life.events.filter(({ type }) => type === "book.rebuilt")).toMatchObject([
      { error: { name: "CorruptionError", offsetRange: [1, 9] } },
    ]);
    await life.engine.close();
  });

  // A recovery seals what is not the last segment, and a seal needs a topic id: such a partition could not be opened, and no group of another
  // partition could commit. Brokers before Kafka 2.8 kept no ids.
  it("without a topic id, in several segments, is given one for good: it is recovered, and groups of other partitions commit", async () => {
    const storage = memory();
    const directory = `__consumer_offsets-${coordinatorPartition("g")}`;
    await new Segment().records([offsetOf("g", 3)]).write(storage, "__consumer_offsets", "g");
    await put(storage, `${directory}/00000000000000000001.log`, new Uint8Array(0));
    expect(coordinatorPartition("other")).not.toBe(coordinatorPartition("g"));
    for (const isFirst of [true, false]) {
      const life = await openEngine(storage, isFirst ? "first" : "second");
      if (isFirst) {
        await life.engine.createTopic({ topic: "aside", partitions: 1, config: {} });
        await commit(life, "other", "aside", 0, 0, true);
      }
      expect(await committedOffset(life, "g", "orders", 0)).toBe(3);
      expect(await committedOffset(life, "other", "aside", 0)).toBe(0);
      await life.engine.maintain();
      expect(life.events.filter(({ type }) => /failed|refused|book\.rebuilt/.test(type))).toEqual([]);
      await life.engine.close();
    }
  });

  it("whose batch opens to nothing is told of and costs a redelivery; one of a codec we lack keeps its groups from answering", async () => {
    const damaged = memory();
    await new Segment()
      .records([offsetOf("g", 3)])
      .noise(3)
      .write(damaged, "__consumer_offsets", "g");
    const life = await openEngine(damaged);
    expect(life.events.filter(({ type }) => type === "book.rebuilt")).toMatchObject([
      { error: { name: "CorruptionError", message: expect.stringContaining("the batch of offsets 1 to 1 cannot be opened") } },
    ]);
    await life.engine.close();

    const unknown = memory();
    await new Segment()
      .records([offsetOf("g", 3)])
      .noise(6)
      .write(unknown, "__consumer_offsets", "g");
    const other = await openEngine(unknown);
    await expect(committedOffset(other, "g", "orders", 0)).rejects.toMatchObject({
      code: "KAFKA_STORAGE_ERROR",
      message: expect.stringContaining("codec 6"),
    });
    await other.engine.close();
  });
});

describe("__transaction_state as another writer left it", () => {
  it("is taken up: an id being fenced is aborted and goes on, a dead one is forgotten, and records of other kinds are left", async () => {
    const storage = memory();
    for (const [id, producerId, state] of [
      ["fenced", 7n, "PrepareEpochFence"],
      ["dead", 8n, "Dead"],
    ] as const) {
      await new Segment()
        .records([
          { key: Uint8Array.of(0, 9, 1, 2, 3), value: new Uint8Array(4) },
          stateOf(id, producerId, { state, producerEpoch: 4 }),
          stateOf("gone", 9n, {}),
          { key: encodeTransactionKey("gone"), value: null },
        ])
        .write(storage, "__transaction_state", id);
    }
    const life = await openEngine(storage);
    expect(life.events.filter(({ type }) => type === "transaction.recovered")).toMatchObject([
      { transactionalId: "fenced", outcome: "aborted" },
    ]);
    const fenced = await new TestProducer(life, "fenced").init();
    expect(fenced.identity).toEqual({ producerId: 7n, producerEpoch: 5 });
    const dead = await new TestProducer(life, "dead").init();
    expect(dead.identity.producerId).toBeGreaterThan(9n);
    expect(dead.identity.producerEpoch).toBe(0);
    await life.engine.close();
  });
});
