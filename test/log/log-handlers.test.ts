/** What the log does when a call of the storage fails where its days seldom fail, and what its parts say to a caller that breaks their rules. */
import { describe, expect, it } from "vitest";
import { writeInt16, writeInt64 } from "../../src/base/big-endian.ts";
import { OdradekError, ProducerStateError, StorageError } from "../../src/base/errors.ts";
import { ATTRIBUTES_AT, HEADER_BYTE_LENGTH, stampChecksum } from "../../src/base/record-batch.ts";
import { AppendQueue } from "../../src/log/append/append-queue.ts";
import { CLEAN_SHUTDOWN_FILE, cleanShutdownContents, removeCleanShutdown, writeCleanShutdown } from "../../src/log/books/clean-shutdown.ts";
import { LeaderEpochs } from "../../src/log/books/leader-epochs.ts";
import { writePartitionMetadata } from "../../src/log/books/partition-metadata.ts";
import { CleanedSegment } from "../../src/log/compaction/cleaned-segment.ts";
import { writeBytes } from "../../src/log/files/file-bytes.ts";
import { segmentFileName } from "../../src/log/files/file-names.ts";
import { OffsetIndex } from "../../src/log/index/offset-index.ts";
import { TimeIndex } from "../../src/log/index/time-index.ts";
import { checkMarker } from "../../src/log/producers/producer-check.ts";
import { ProducerTable } from "../../src/log/producers/producer-table.ts";
import { readTransactionIndex } from "../../src/log/producers/transaction-index.ts";
import { encodeSeal } from "../../src/log/seal/seal.ts";
import { Segment } from "../../src/log/segment/segment.ts";
import { SegmentList } from "../../src/log/segment/segment-list.ts";
import { surveyPartition } from "../../src/log/survey/partition-survey.ts";
import { payloadDefect } from "../../src/log/survey/payload-survey.ts";
import { TransactionSurvey } from "../../src/log/survey/transaction-survey.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { batchAround, compressionOf } from "../compression/support.ts";
import { compactAll, KEYED, put, rollOver } from "./compaction-rig.ts";
import { append, batchOf, core, created, NOW_MS, opened, type RigOptions, rig, send } from "./log-rig.ts";
import { sendAs } from "./producer-rig.ts";

describe("the queue of appends", () => {
  it("refuses what exceeds its bound, in words, and takes one batch of any size", async () => {
    const queue = new AppendQueue<string>();
    const large = new Uint8Array(64 * 1024 * 1024 + 1);
    const verdict = { recordCount: 1, maxTimestamp: 0 };
    const waiting = queue.add(large, verdict, undefined, "orders-0");
    expect(() => queue.add(new Uint8Array(1), verdict, undefined, "orders-0")).toThrow("the disk is slower than the senders");
    queue.rejectAll(new Error("over"));
    await expect(waiting).rejects.toThrow("over");
  });
});

describe("the marker of a clean shutdown", () => {
  it("is passed over when it is too long, and a refusal to read or remove it is told", async () => {
    const storage = faultyStorage(memory());
    await writeCleanShutdown(storage, new Uint8Array(5000));
    expect(await cleanShutdownContents(storage)).toBe(null);
    storage.fail({ call: "readAt", errno: "EIO" });
    await writeCleanShutdown(storage);
    await expect(cleanShutdownContents(storage)).rejects.toThrow("EIO");
    storage.fail({ call: "remove", name: new RegExp(CLEAN_SHUTDOWN_FILE), errno: "EACCES" });
    await expect(removeCleanShutdown(storage)).rejects.toThrow("EACCES");
    await removeCleanShutdown(storage);
    await removeCleanShutdown(storage);
  });
});

describe("a write to a file that takes nothing", () => {
  it("ends, and says how far it came", async () => {
    const storage = faultyStorage(memory());
    const file = await storage.open("f", { create: "new" });
    storage.fail({ call: "writeAt", atMost: 3 });
    storage.fail({ call: "writeAt", nth: 2, atMost: 0 });
    expect(() => writeBytes(file, new Uint8Array(10), 0)).toThrow("a write of 10 bytes at 0 stopped after 3");
  });
});

describe("what would break the format", () => {
  it("is refused before a byte of it is written", async () => {
    const storage = memory();
    await expect(writePartitionMetadata(storage, "", "short")).rejects.toThrow("expected a topic id of 22 characters");
    const epochs = await LeaderEpochs.load(storage, "");
    await epochs.assign(3, 0);
    await expect(epochs.assign(3, 5)).rejects.toThrow("expected an epoch above 3");
    expect(() => segmentFileName(-1, "log")).toThrow("expected a base offset from 0");
    const facts = { topicId: "AAAAAAAAAAAAAAAAAAAAAQ", partition: 0, baseOffset: 0, nextOffset: 1, maxTimestamp: 0, hasGaps: false };
    const lengths = { logByteLength: 10, logChecksums: [], txnIndexByteLength: 0, txnIndexChecksums: [] };
    const indexes = { indexByteLength: 0, indexChecksum: 0, timeIndexByteLength: 0, timeIndexChecksum: 0 };
    expect(() => encodeSeal({ ...facts, ...lengths, ...indexes }, core)).toThrow("a checksum for every 64 KiB of 10");
    const offsets = await OffsetIndex.create(storage, "index", 10, { core });
    offsets.append(12, 100);
    expect(() => offsets.append(12, 200)).toThrow("expected an entry that rises from offset 12 at 100");
    const times = await TimeIndex.create(storage, "timeindex", 10, { core });
    expect(times.maybeAppend(5, 12)).toBe(true);
    expect(() => times.maybeAppend(6, 11)).toThrow("expected an offset from 12 on");
  });

  it("is refused of segments that are no neighbours any more", () => {
    const { context } = rig(memory());
    const [one, two, other] = [0, 5, 9].map((baseOffset) => new Segment(context, "orders-0", baseOffset, false)) as [
      Segment,
      Segment,
      Segment,
    ];
    const list = new SegmentList([one, two]);
    expect(() => list.replace([other], one)).toThrow("no sealed neighbours");
    expect(() => list.replace([two], other)).toThrow("no sealed neighbours");
  });

  it("is refused of a marker that an older producer, or coordinator, sends", () => {
    const entry = { producerId: 1n, producerEpoch: 2, coordinatorEpoch: 3 } as Parameters<typeof checkMarker>[0];
    expect(() => checkMarker(entry, 1, 3, "orders-0")).toThrow(ProducerStateError);
    expect(() => checkMarker(entry, 2, 2, "orders-0")).toThrow("expected a marker of coordinator epoch 3 or more");
    checkMarker(entry, 2, 3, "orders-0");
  });
});

/** A control batch of a transaction whose record is none, its checksum right. */
function strayMarker(): Uint8Array {
  const batch = batchAround(core, new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), 0, 1);
  writeInt16(batch, ATTRIBUTES_AT, 0x30);
  writeInt64(batch, 43, 7);
  stampChecksum(batch, core);
  return batch;
}

describe("a marker that is none", () => {
  it("says nothing of any transaction, to the log or to a survey", () => {
    const batch = strayMarker();
    expect(new ProducerTable("orders-0").admit(batch, 0, 0, 0, NOW_MS)).toBe(null);
    const survey = new TransactionSurvey("orders-0");
    survey.take(batch, { baseOffset: 0, lastOffset: 0, maxTimestamp: NOW_MS } as Parameters<TransactionSurvey["take"]>[1]);
    expect(survey.finishSegment([])).toEqual({ problems: [], expected: [] });
  });

  it("is told apart from what we did wrong ourselves", () => {
    // Whoever looks behind the header meets a mistake of ours: it goes up as what it is.
    const trapped = new Proxy(strayMarker(), {
      get(bytes, at) {
        if (typeof at === "string" && Number(at) >= HEADER_BYTE_LENGTH) throw new TypeError("ours");
        const value = Reflect.get(bytes, at, bytes) as unknown;
        return typeof value === "function" ? (value.bind(bytes) as unknown) : value;
      },
    });
    const batch = { baseOffset: 0, lastOffset: 0, maxTimestamp: NOW_MS } as Parameters<TransactionSurvey["take"]>[1];
    expect(() => new TransactionSurvey("orders-0").take(trapped, batch)).toThrow("ours");
    expect(() => new ProducerTable("orders-0").admit(trapped, 0, 0, 0, NOW_MS)).toThrow("ours");
  });

  it("is told of a payload: what cannot be read, and what we did wrong ourselves", () => {
    const batch = { position: 0, byteLength: 100, baseOffset: 0, lastOffset: 0 } as Parameters<typeof payloadDefect>[3];
    expect(payloadDefect(compressionOf(core), "f", strayMarker(), batch)?.problem).toContain("whose records cannot be read");
    const broken = {
      ...compressionOf(core),
      decompressBatch: () => {
        throw new TypeError("ours");
      },
    };
    expect(() => payloadDefect(broken, "f", batchOf([{ value: "a", timestamp: NOW_MS }]), batch)).toThrow("ours");
  });
});

describe("a transaction index that is none", () => {
  it("is said to be one", async () => {
    const storage = memory();
    const file = await storage.open("00000000000000000000.txnindex", { create: "new" });
    file.writeAt(new Uint8Array(33), 0);
    await file.close();
    await expect(readTransactionIndex({ storage }, "", 0)).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
  });
});

/** A directory with rolled segments, seals, snapshots and transaction indexes. */
async function wellUsed(): Promise<ReturnType<typeof memory>> {
  const storage = memory();
  const options: RigOptions = { config: { segmentBytes: 400, indexIntervalBytes: 100 } };
  const { log } = await created(storage, options);
  for (let round = 0; round < 4; round += 1) {
    const at = { producerId: 1n, producerEpoch: 0, baseSequence: round, recordCount: 1, transactional: true };
    await sendAs(log, at);
    await log.appendMarker({ producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
    await send(log, `${round}`.repeat(100));
  }
  await log.flush();
  await log.sealUnsealed();
  await log.close(true);
  return storage;
}

describe("a survey whose disk refuses", () => {
  it("tells it as damage or as a refusal, whichever call it is, and gives back every handle", async () => {
    const disk = await wellUsed();
    const at = {
      topic: "orders",
      partition: 0,
      topicId: "AAAAAAAAAAAAAAAAAAAAAQ",
      directory: "orders-0",
      cleanShutdown: true,
      config: null,
      recoveryPoint: null,
    };
    const survey = async (storage: ReturnType<typeof faultyStorage>): Promise<number> => {
      const { context } = rig(storage, { readOnly: true });
      return (await surveyPartition(context, at)).defects.length;
    };
    const quiet = faultyStorage(disk);
    expect(await survey(quiet)).toBe(0);
    for (const call of ["open", "list", "readAt", "byteLength", "closeFile"] as const) {
      for (let nth = 1; nth <= quiet.count(call); nth += 1) {
        const storage = faultyStorage(disk);
        let hit = "";
        const fault = storage.fail({ call, nth, errno: "EIO", onMeet: (name) => (hit = name) });
        const told = await survey(storage).catch((error: unknown) => error);
        expect(fault.metCount, `${call} ${nth}`).toBe(1);
        if (typeof told !== "number") expect(told, `${call} ${nth}`).toBeInstanceOf(OdradekError);
        expect(storage.openFileCount, `${call} ${nth} ${hit}`).toBe(0);
      }
    }
  });
});

describe('an "os" log that lost more than its start with the power', () => {
  it("begins again at its start whichever call fails meanwhile, at the next opening", async () => {
    const options: RigOptions = { config: { durability: "os" } };
    const first = crashStorage();
    const { log } = await created(first, options);
    for (let count = 0; count < 5; count += 1) await send(log, `${count}`.repeat(50));
    await log.deleteRecordsBefore(4);
    const left = first.crash(new SeededRandom(1), { survival: "nothing" });
    const quiet = faultyStorage(left.crash(new SeededRandom(1), { kind: "process" }));
    const { log: reopened } = await opened(quiet, options);
    expect(reopened.watermarks).toMatchObject({ logStartOffset: 4, logEndOffset: 4 });
    await reopened.close(true);
    for (const call of ["open", "list", "remove", "syncDirectory", "truncate", "sync", "closeFile", "byteLength", "writeAt"] as const) {
      for (let nth = 1; nth <= quiet.count(call); nth += 1) {
        const storage = faultyStorage(left.crash(new SeededRandom(1), { kind: "process" }));
        storage.fail({ call, nth, errno: "ENOSPC" });
        const where = `${call} ${nth}`;
        const tried = await opened(storage, options).catch((error: unknown) => error);
        if (tried instanceof Error) expect(tried, where).toBeInstanceOf(StorageError);
        else await (tried as Awaited<ReturnType<typeof opened>>).log.close(false).catch(() => {});
        expect(storage.openFileCount, where).toBe(0);
        storage.mend();
        const again = await opened(storage, options);
        expect(again.log.watermarks, where).toMatchObject({ logStartOffset: 4, logEndOffset: 4 });
        await send(again.log, "after");
        await again.log.close(true);
      }
    }
  });
});

describe("a batch whose records are none, its checksum right", () => {
  it("keeps compaction out of its partition, which says where it is; and a search by time ends there", async () => {
    const storage = memory();
    const { log } = await created(storage, KEYED);
    await put(log, [["a", "1".padEnd(60)]]);
    const odd = batchAround(core, new Uint8Array(50).fill(0xff), 0, 1);
    await log.append(odd, { recordCount: 1, maxTimestamp: NOW_MS });
    await log.flush();
    await rollOver(log);
    await expect(compactAll(log)).rejects.toMatchObject({ name: "CorruptionError", offsetRange: [1, expect.any(Number)] });
    expect(log.compactionProblem).toMatchObject({ name: "CorruptionError" });
    await log.close(true);
    const other = await created(memory(), { topic: "other", directory: "other-0" });
    const late = batchAround(core, new Uint8Array(50).fill(0xff), "gzip", 1);
    await other.log.append(late, { recordCount: 1, maxTimestamp: NOW_MS });
    await other.log.flush();
    expect(await other.log.offsetForTime(NOW_MS - 1)).toMatchObject({ offset: 0 });
    await other.log.close(true);
  });
});

describe("damage behind which there is more damage", () => {
  it("is told with where the next readable record is", async () => {
    const storage = memory();
    const options: RigOptions = { config: { segmentBytes: 4000, indexIntervalBytes: 50 } };
    const { log } = await created(storage, options);
    for (let index = 0; index < 12; index += 1) await append(log, [{ value: `${index}`.padEnd(80), timestamp: NOW_MS + index }]);
    await log.flush();
    await log.close(false);
    const name = "orders-0/00000000000000000000.log";
    const file = await storage.open(name, { create: "no" });
    const batchByteLength = file.byteLength() / 12;
    for (const index of [3, 4]) file.writeAt(new Uint8Array([0xff]), index * batchByteLength + 100);
    await file.close();
    const { log: again } = await opened(storage, options);
    await expect(again.read(3, 100)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 5 });
    expect((await again.read(5, 100)).byteLength).toBeGreaterThan(0);
    await again.close(false);
  });
});

describe("damage up to the end", () => {
  it("is told as such, though the index names batches in it", async () => {
    const storage = memory();
    const options: RigOptions = { config: { indexIntervalBytes: 50 } };
    const { log } = await created(storage, options);
    for (let index = 0; index < 12; index += 1) await send(log, `${index}`.padEnd(80));
    await log.close(true);
    const file = await storage.open("orders-0/00000000000000000000.log", { create: "no" });
    const batchByteLength = file.byteLength() / 12;
    for (let index = 3; index < 12; index += 1) file.writeAt(new Uint8Array([0xff]), index * batchByteLength + 100);
    await file.close();
    const { log: again } = await opened(storage, { ...options, cleanShutdown: true });
    await expect(again.read(3, 100)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: null });
    expect((await again.read(2, 100)).byteLength).toBeGreaterThan(0);
    await again.close(false);
  });
});

describe("a read that the disk refuses", () => {
  it("is told, and made again it succeeds", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage);
    await send(log, "a");
    storage.fail({ call: "readAt", errno: "EIO" });
    await expect(log.read(0, 100)).rejects.toMatchObject({ name: "StorageError", code: "STORAGE_FAILED" });
    expect((await log.read(0, 100)).byteLength).toBeGreaterThan(0);
    await log.close(true);
  });
});

describe("a time index that names a batch which is damaged", () => {
  it("is not followed: the search goes on from the segment's beginning", async () => {
    for (const readOnly of [false, true]) {
      const storage = memory();
      const options: RigOptions = { config: { segmentBytes: 1000, indexIntervalBytes: 50 } };
      const { log } = await created(storage, options);
      for (let index = 0; index < 12; index += 1) await append(log, [{ value: `${index}`.padEnd(80), timestamp: NOW_MS + index }]);
      await log.flush();
      await log.sealUnsealed();
      const file = await storage.open("orders-0/00000000000000000000.log", { create: "no" });
      const batchByteLength = file.byteLength() / 6;
      for (const index of [2, 3, 4]) file.writeAt(new Uint8Array([0x7f, 0xff, 0xff, 0xff]), index * batchByteLength + 8);
      await file.close();
      if (readOnly) await storage.remove("orders-0/00000000000000000000.seal");
      await log.close(true);
      const { log: again } = await opened(storage, { ...options, cleanShutdown: true, readOnly });
      const found = await again.offsetForTime(NOW_MS + 4).catch((error: unknown) => error);
      if (found instanceof Error) expect(found).toMatchObject({ name: "CorruptionError" });
      expect(await again.offsetForTime(NOW_MS + 1)).toMatchObject({ offset: 1 });
      await again.close(false);
    }
  });
});

describe("retention", () => {
  it("moves the log start back where the state could not be saved, and removes nothing", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, { config: { segmentBytes: 300, retentionBytes: 1 } });
    for (let count = 0; count < 4; count += 1) await send(log, `${count}`.repeat(150));
    await log.sealUnsealed();
    storage.fail({ call: "writeAt", name: /odradek\.state$/, errno: "ENOSPC" });
    await expect(log.applyRetention()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(log.watermarks.logStartOffset).toBe(0);
    expect((await log.read(0, 100)).byteLength).toBeGreaterThan(0);
    storage.mend();
    expect((await log.applyRetention()).segmentsDeleted).toBeGreaterThan(0);
    await log.close(true);
  });

  it("goes on where a swap that a compaction was held up in still is", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage, { config: { ...KEYED.config, cleanupPolicy: "compact,delete", retentionBytes: 1 } as never });
    for (let round = 0; round < 6; round += 1) await put(log, [["a", `${round}`.padEnd(60)]]);
    await rollOver(log);
    storage.fail({ call: "remove", errno: "EACCES", name: /\d\.log$/, times: Number.POSITIVE_INFINITY });
    await expect(compactAll(log)).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await log.applyRetention().catch((error: unknown) => expect(error).toBeInstanceOf(StorageError));
    storage.mend();
    await log.applyRetention();
    await log.close(true);
    expect(storage.openFileCount).toBe(0);
  });
});

describe("the files of a rewritten segment", () => {
  it("are flushed as they grow, and a flush that failed is told by the next, or let be when they are thrown away", async () => {
    const storage = faultyStorage(memory());
    const { context, spec } = rig(storage);
    const compactor = context.core.compactor({ dedupeBufferByteLength: 1000, hashSecret: new Uint8Array(16) });
    await storage.createDirectory("orders-0");
    for (const next of ["flush", "discard"] as const) {
      const cleaned = await CleanedSegment.create(context, spec, 0, compactor);
      const large = new Uint8Array(17 * 1024 * 1024);
      storage.fail({ call: "sync", name: /\.cleaned$/, errno: "EIO" });
      for (let count = 0; count < 2; count += 1) cleaned.append(large, count, NOW_MS);
      await cleaned.flushNowAndThen();
      for (let count = 2; count < 4; count += 1) cleaned.append(large, count, NOW_MS);
      if (next === "flush") await expect(cleaned.flushNowAndThen()).rejects.toThrow("EIO");
      await cleaned.discard();
      expect(storage.openFileCount).toBe(0);
      storage.mend();
    }
    expect((await storage.list("orders-0")).map(({ name }) => name)).toEqual([]);
  });
});
