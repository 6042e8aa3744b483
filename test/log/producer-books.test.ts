/** What is known of producers and their transactions, from books that lack, that cannot be read, or that are another segment's. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { markerBatch } from "../../src/log/batch/marker-batch.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { AbortedTransactions } from "../../src/log/producers/aborted-transactions.ts";
import { ProducerSnapshots } from "../../src/log/producers/producer-snapshots.ts";
import { ProducerTable } from "../../src/log/producers/producer-table.ts";
import { TransactionEntries } from "../../src/log/producers/transaction-entries.ts";
import { type AbortedTransaction, encodeTransactionIndex, readTransactionIndex } from "../../src/log/producers/transaction-index.ts";
import type { Segment } from "../../src/log/segment/segment.ts";
import { SegmentList } from "../../src/log/segment/segment-list.ts";
import { PartitionState } from "../../src/log/state/partition-state.ts";
import { surveyPartition } from "../../src/log/survey/partition-survey.ts";
import { memory } from "../../src/storage/memory.ts";
import { core, created, NOW_MS, opened, type RigOptions, readAll, rig } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

/** Two aborted transactions to a segment. */
const OPTIONS: RigOptions = { cleanShutdown: true, config: { segmentBytes: 350, indexIntervalBytes: 100 } };
const nameOf = (baseOffset: number, suffix: string): string => `orders-0/${String(baseOffset).padStart(20, "0")}.${suffix}`;

async function withFile<Result>(storage: StorageDriver, name: string, work: (file: StorageFile) => Result): Promise<Result> {
  const file = await storage.open(name, { create: "if-missing" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

const bytesOf = (storage: StorageDriver, name: string): Promise<Uint8Array> =>
  withFile(storage, name, (file) => {
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    return bytes;
  });

async function abortOne(log: PartitionLog, baseSequence: number): Promise<void> {
  await sendAs(log, { producerId: 7n, producerEpoch: 0, recordCount: 1, transactional: true, baseSequence });
  await log.appendMarker({ producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
}

async function history(rounds: number, options: RigOptions = OPTIONS) {
  const storage = memory();
  const { log } = await created(storage, options);
  for (let round = 0; round < rounds; round += 1) await abortOne(log, round);
  await log.flush();
  await log.sealUnsealed();
  const aborted = await log.abortedTransactions(0, 100);
  expect(aborted).toHaveLength(rounds);
  return { storage, log, aborted };
}

const baseOffsets = async (storage: StorageDriver): Promise<number[]> =>
  (await storage.list("orders-0")).flatMap(({ name }) => (name.endsWith(".log") ? [Number.parseInt(name, 10)] : [])).sort((a, b) => a - b);

const rebuilt = (events: readonly { type: string; fields: Record<string, unknown> }[]): unknown[] =>
  events.filter(({ type }) => type === "txnindex.rebuilt").map(({ fields }) => fields["file"]);

describe("aborted transactions of segments that come and go", () => {
  const entry = (offset: number): AbortedTransaction => {
    return { producerId: 7n, firstOffset: offset, lastOffset: offset + 1, lastStableOffset: offset + 2 };
  };
  function bed(bases: readonly number[]) {
    const all = bases.map((baseOffset) => ({ baseOffset }) as Segment);
    const segments = new SegmentList(all);
    const loads: number[] = [];
    let meanwhile = (): void => {};
    const load = async ({ baseOffset }: Segment): Promise<TransactionEntries> => {
      loads.push(baseOffset);
      await Promise.resolve();
      meanwhile();
      return new TransactionEntries(encodeTransactionIndex([entry(baseOffset)]));
    };
    const { context } = rig(memory());
    const aborted = new AbortedTransactions(context, "orders-0", segments, bases, load);
    const during = (work: () => void): void => {
      meanwhile = work;
    };
    return { all, segments, aborted, loads, during };
  }

  it("are found over all that a range touches, each index read once by however many ask at once", async () => {
    const { aborted, loads } = bed([0, 10, 20]);
    const expected = [0, 10, 20].map(entry);
    expect(await Promise.all([aborted.find(0, 30), aborted.find(0, 30)])).toEqual([expected, expected]);
    expect(loads).toEqual([0, 10, 20]);
    expect(aborted.findSync(0, 30)).toEqual(expected);
    expect(await aborted.find(0, 11)).toEqual(expected.slice(0, 2));
  });

  it("are not looked for in one that was merged into another, nor kept of one that goes while it is read", async () => {
    const { all, segments, aborted, loads, during } = bed([0, 10, 20]);
    segments.replace(all.slice(0, 2), all[0] as Segment);
    expect(await aborted.find(0, 30)).toEqual([entry(0), entry(20)]);
    expect(loads).toEqual([0, 20]);
    expect(aborted.findSync(0, 30)).toEqual([entry(0), entry(20)]);
    aborted.reread(0);
    during(() => aborted.forget(0));
    expect(await aborted.find(0, 30)).toEqual([entry(0), entry(20)]);
    expect(aborted.findSync(0, 30)).toEqual([entry(20)]);
  });
});

describe("snapshots of producers", () => {
  it("that went meanwhile are passed over for older ones", async () => {
    const { context, spec } = rig(memory());
    await context.storage.createDirectory("orders-0");
    const snapshots = new ProducerSnapshots(context, spec, ["00000000000000000009.snapshot"]);
    expect(await snapshots.newest(20)).toBeNull();
    const table = new ProducerTable("orders-0");
    const bytes = markerBatch(core, { producerId: 7n, producerEpoch: 2, coordinatorEpoch: 1, commit: true }, NOW_MS);
    table.admit(bytes, 0, 0, 0, NOW_MS);
    await snapshots.write(5, snapshots.take(table) as Uint8Array<ArrayBuffer>);
    expect(await snapshots.newest(20)).toMatchObject({ offset: 5, entries: [{ producerId: 7n, producerEpoch: 2 }] });
  });

  it("are all kept where nothing may be changed", async () => {
    for (const options of [{ readOnly: true }, { frozen: true }]) {
      const storage = memory();
      await storage.createDirectory("orders-0");
      await withFile(storage, nameOf(5, "snapshot"), (file) => file.writeAt(new Uint8Array(3), 0));
      const { context, spec } = rig(storage, options);
      const snapshots = new ProducerSnapshots(context, spec, ["00000000000000000005.snapshot"]);
      await snapshots.keep(() => false);
      expect([snapshots.has(5), (await bytesOf(storage, nameOf(5, "snapshot"))).length]).toEqual([true, 3]);
    }
  });
});

describe("a marker that says nothing", () => {
  /** As compaction leaves one: the last offset is what it was. */
  function emptied(): Uint8Array {
    core.writer.begin({ producerId: 7n, producerEpoch: 0, baseSequence: -1, transactional: true, control: true });
    const batch = core.writer.finish().slice();
    batch.set([0, 0, 0, 0], 23);
    return batch;
  }

  it("ends no transaction, and is no producer's first word", () => {
    const table = new ProducerTable("orders-0");
    expect(table.admit(emptied(), 0, 4, 4, NOW_MS)).toBeNull();
    expect(table.size).toBe(0);
    expect(table.check(emptied())).toBeNull();
  });

  it("is of a coordinator that any other has replaced", () => {
    const table = new ProducerTable("orders-0");
    table.admit(markerBatch(core, { producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: true }, NOW_MS), 0, 0, 0, NOW_MS);
    expect(() => table.check(emptied())).toThrow(/expected a marker of coordinator epoch 0 or more, found -1/);
  });
});

describe("an index of aborted transactions", () => {
  it("that is none holds none", async () => {
    expect(await readTransactionIndex({ storage: memory() }, "", 0)).toEqual([]);
  });

  it("of the active segment is told of by a survey when it is not what the clean close left", async () => {
    const { storage, log } = await history(2);
    await log.close(true);
    const { context, spec, config } = rig(storage, { readOnly: true });
    const { topic, partition, directory, topicId } = spec;
    const survey = () =>
      surveyPartition(context, { topic, partition, directory, topicId, config, cleanShutdown: true, recoveryPoint: null });
    expect((await survey()).defects).toEqual([]);
    await withFile(storage, nameOf(0, "txnindex"), (file) => file.writeAt(Uint8Array.of(9), 33));
    const [defect] = (await survey()).defects;
    expect(defect).toMatchObject({ kind: "txnindex", problem: expect.stringMatching(/it is not what the clean close left/) });
  });

  it("is made again in memory alone by whoever changes nothing", async () => {
    const { storage, log, aborted } = await history(8);
    await log.close(true);
    await withFile(storage, nameOf(0, "txnindex"), (file) => file.truncate(34));
    for (const options of [{ readOnly: true }, { frozen: true }]) {
      const { log: read, events } = await opened(storage, { ...OPTIONS, ...options });
      expect(await read.abortedTransactions(0, 100)).toEqual(aborted);
      expect(rebuilt(events)).toEqual([nameOf(0, "txnindex")]);
      await read.close(false);
      expect((await bytesOf(storage, nameOf(0, "txnindex"))).length).toBe(34);
    }
  });

  it("is believed as it stands where the seal beside it is another segment's", async () => {
    const { storage, log, aborted } = await history(8);
    await log.close(true);
    const theirs = await bytesOf(storage, nameOf((await baseOffsets(storage))[1] as number, "seal"));
    await withFile(storage, nameOf(0, "seal"), (file) => {
      file.truncate(0);
      file.writeAt(theirs, 0);
    });
    const { log: again, events } = await opened(storage, OPTIONS);
    expect(await again.abortedTransactions(0, 100)).toEqual(aborted);
    expect(rebuilt(events)).toEqual([]);
    await again.close(true);
  });

  it("is found under the name of a swap that nobody may finish", async () => {
    const { storage, log, aborted } = await history(8);
    await log.close(true);
    for (const kind of ["log", "index", "timeindex", "txnindex", "seal"]) {
      const bytes = await bytesOf(storage, nameOf(0, kind));
      await withFile(storage, nameOf(0, `${kind}.swap`), (file) => file.writeAt(bytes, 0));
      await storage.remove(nameOf(0, kind));
    }
    const before = (await storage.list("orders-0")).map(({ name }) => name).sort();
    const { log: read, events } = await opened(storage, { ...OPTIONS, readOnly: true });
    expect(await read.abortedTransactions(0, 100)).toEqual(aborted);
    expect(await readAll(read)).toHaveLength(16);
    expect(events).toEqual([]);
    await read.close(false);
    expect((await storage.list("orders-0")).map(({ name }) => name).sort()).toEqual(before);
  });

  /** The recovery point stands within the last segment, behind an entry of its index. */
  async function pointedInto() {
    const options: RigOptions = { ...OPTIONS, cleanShutdown: false, recoveryPointIntervalBytes: 1 };
    const { storage, log } = await history(7, options);
    await abortOne(log, 7);
    await log.flush();
    await log.sealUnsealed();
    const last = (await baseOffsets(storage)).at(-1) as number;
    expect(log.recoveryPoint).toBeGreaterThan(last);
    const aborted = await log.abortedTransactions(0, 100);
    await log.close(false);
    return { options, storage, aborted, last };
  }

  it("longer than any can be is made again, the one that a recovery begins with too", async () => {
    const { options, storage, aborted, last } = await pointedInto();
    const { open } = storage;
    let isHarmed = true;
    storage.open = async (name, how) => {
      const file = await open.call(storage, name, how);
      if (isHarmed && name.endsWith(".txnindex") && how.readOnly === true) file.byteLength = () => 2 ** 30 + 34;
      return file;
    };
    const { log, events } = await opened(storage, options);
    expect(await log.abortedTransactions(0, 100)).toEqual(aborted);
    expect(new Set(rebuilt(events))).toEqual(new Set((await baseOffsets(storage)).map((baseOffset) => nameOf(baseOffset, "txnindex"))));
    expect(rebuilt(events)).toContain(nameOf(last, "txnindex"));
    isHarmed = false;
    await log.close(true);
  });

  it("is found by a recovery under the name of a swap, too: of the segment that was being rewritten when the recovery point stood in it", async () => {
    const { options, storage, aborted, last } = await pointedInto();
    for (const kind of ["log", "index", "timeindex", "txnindex"]) await storage.replace(nameOf(last, kind), nameOf(last, `${kind}.swap`));
    const { log, events } = await opened(storage, { ...options, readOnly: true });
    expect(await log.abortedTransactions(0, 100)).toEqual(aborted);
    expect(rebuilt(events)).toEqual([]);
    await log.close(false);
  });

  it("is of its own segment alone: where that is lost, the partition says so, and nothing of another goes by it", async () => {
    const { options, storage, last } = await pointedInto();
    const lost = nameOf(last, "");
    for (const { name } of await storage.list("orders-0"))
      if (`orders-0/${name}`.startsWith(lost)) await storage.remove(`orders-0/${name}`);
    const { log, events } = await opened(storage, options);
    await expect(log.read(last, 1)).rejects.toMatchObject({ name: "CorruptionError", file: nameOf(last, "log") });
    expect(rebuilt(events)).toEqual([]);
    await log.close(false);
  });

  it("beside a segment of which a clean close left nothing is believed when it is empty, and else made again", async () => {
    for (const byteLength of [0, 34]) {
      const storage = memory();
      const made = await created(storage);
      await made.log.close(true);
      const state = await PartitionState.load(made.context, "orders-0", made.spec);
      const facts = state.facts();
      if (facts === null) throw new Error("the close has left no state");
      await state.writeDurably({ ...facts, activeSegment: null });
      await state.close();
      await withFile(storage, nameOf(0, "txnindex"), (file) => file.truncate(byteLength));
      const { log, events } = await opened(storage, { cleanShutdown: true });
      expect(rebuilt(events)).toEqual(byteLength === 0 ? [] : [nameOf(0, "txnindex")]);
      expect(await log.abortedTransactions(0, 0)).toEqual([]);
      await abortOne(log, 0);
      expect(await log.abortedTransactions(0, 2)).toHaveLength(1);
      await log.close(true);
    }
  });
});
