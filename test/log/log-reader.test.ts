/** The reading side of a partition beside what changes under it: seals, indexes and disks that do not say what they should, ends that are not there yet. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { readBatchHeader } from "../../src/base/record-batch.ts";
import { openLog } from "../../src/log/opening/open-log.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { LogReader } from "../../src/log/read/log-reader.ts";
import { offsetForTime } from "../../src/log/read/time-lookup.ts";
import type { CheckedBatch } from "../../src/log/segment/segment-reader.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, batchOf, created, NOW_MS, opened, type RigOptions, readAll, recordsIn, rig, send } from "./log-rig.ts";
import { oldMessage } from "./older-message.ts";

const LOG = "orders-0/00000000000000000000.log";
/** Three batches of `value 00` to a segment. */
const OPTIONS: RigOptions = { cleanShutdown: true, config: { segmentBytes: 250, indexIntervalBytes: 1 } };
const COUNT = 9;

async function withFile<Result>(storage: StorageDriver, name: string, work: (file: StorageFile) => Result): Promise<Result> {
  const file = await storage.open(name, { create: "no" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

/** Nine batches, each a second later than the one before, closed in order. */
async function partition(options: RigOptions = OPTIONS): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, options);
  for (let index = 0; index < COUNT; index += 1) {
    await append(log, [{ value: `value 0${index}`, timestamp: NOW_MS + 1000 * index }]);
    await log.flush();
  }
  await log.close(true);
  return storage;
}

async function names(storage: StorageDriver, suffix: string): Promise<string[]> {
  const found = (await storage.list("orders-0")).map(({ name }) => `orders-0/${name}`);
  return found.filter((name) => name.endsWith(suffix)).sort();
}

/** As another writer leaves them: without what only we know. */
async function withoutOurs(storage: StorageDriver): Promise<void> {
  for (const name of [...(await names(storage, ".seal")), "orders-0/odradek.state"]) await storage.remove(name);
}

/** The driver, but for what its `.log` files do. */
function harmed(storage: StorageDriver, harm: (file: StorageFile) => void): StorageDriver {
  const { open } = storage;
  storage.open = async (name, options) => {
    const file = await open.call(storage, name, options);
    if (name.endsWith(".log")) harm(file);
    return file;
  };
  return storage;
}

const times = async (log: PartitionLog): Promise<(number | undefined)[]> => {
  const found: (number | undefined)[] = [];
  for (let index = 0; index <= COUNT; index += 1) found.push((await log.offsetForTime(NOW_MS + 1000 * index - 500))?.offset);
  return found;
};
const ALL_TIMES = [0, 1, 2, 3, 4, 5, 6, 7, 8, undefined];
const byteLengthOf = async (storage: StorageDriver): Promise<number> =>
  withFile(storage, LOG, (file) => {
    const header = new Uint8Array(61);
    file.readAt(header, 0);
    return readBatchHeader(header).byteLength;
  });

describe("a read of a sealed segment", () => {
  it("finds the same whether it is the first there or one of many that come at once", async () => {
    const { log } = await opened(await partition(), OPTIONS);
    const reads = await Promise.all([log.read(0, 1), log.read(0, 1), log.read(0, 1)]);
    for (const bytes of reads) expect(bytes).toEqual(log.readSync(0, 1));
    expect(await readAll(log)).toHaveLength(COUNT);
    await log.close(true);
  });

  it("passes a seal over that is another segment's, and says so", async () => {
    const storage = await partition();
    const [first, second] = (await names(storage, ".seal")) as [string, string];
    const bytes = await withFile(storage, second, (file) => {
      const found = new Uint8Array(file.byteLength());
      file.readAt(found, 0);
      return found;
    });
    await withFile(storage, first, (file) => {
      file.truncate(0);
      file.writeAt(bytes, 0);
    });
    const { log, events } = await opened(storage, OPTIONS);
    expect(await readAll(log)).toHaveLength(COUNT);
    expect(events.filter(({ type }) => type === "seal.ignored").map(({ fields }) => fields)).toEqual([
      expect.objectContaining({ file: LOG, problem: expect.stringMatching(/the seal is of partition 0, base offset 3, topic id/) }),
    ]);
    await log.close(true);
  });

  it("names a message of an older format in its middle by that", async () => {
    const storage = await partition();
    const byteLength = await byteLengthOf(storage);
    await withFile(storage, LOG, (file) => file.writeAt(oldMessage(), byteLength));
    const { log } = await opened(storage, OPTIONS);
    await expect(log.read(1, 1)).rejects.toMatchObject({ code: "UNSUPPORTED_MAGIC", byteRange: [byteLength, expect.any(Number)] });
    await log.close(false);
  });

  it("tells what can be read behind damage, without an index too, where it may make none", async () => {
    const storage = await partition();
    const byteLength = await byteLengthOf(storage);
    for (const suffix of [".index", ".timeindex"]) await storage.remove(LOG.replace(".log", suffix));
    await withFile(storage, LOG, (file) => file.writeAt(Uint8Array.of(0xff, 0xff), byteLength + 70));
    const { log } = await opened(storage, { ...OPTIONS, readOnly: true });
    expect((await readAll(log, 2)).map(({ offset }) => offset)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    await expect(log.read(1, 1)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 2 });
    expect(await names(storage, "00.index")).toEqual([]);
    await log.close(false);
  });

  it("in a gap at its end goes on in the next one, whatever a damaged batch before it claims to reach to", async () => {
    const storage = await partition();
    const byteLength = await byteLengthOf(storage);
    await withoutOurs(storage);
    await withFile(storage, LOG, (file) => {
      file.truncate(2 * byteLength);
      // The last offset of the first batch, which is under its checksum.
      file.writeAt(Uint8Array.of(100), 26);
    });
    const { log } = await opened(storage, { ...OPTIONS, leftByUs: false, checkpoint: { recoveryPoint: COUNT, logStartOffset: 0 } });
    expect(readBatchHeader(await log.read(2, 1)).baseOffset).toBe(3);
    expect(readBatchHeader(await log.read(1, 1)).baseOffset).toBe(1);
    await expect(log.read(0, 1)).rejects.toMatchObject({ name: "CorruptionError", nextReadableOffset: 1 });
    await log.close(false);
  });
});

describe("a part of a batch that was read before", () => {
  async function noted(log: PartitionLog, offset: number): Promise<{ wanted: CheckedBatch; records: Uint8Array }> {
    const bytes = await log.read(offset, 1);
    const { baseOffset, byteLength, checksum } = readBatchHeader(bytes);
    const wanted = { baseOffset, byteLength, checksum: checksum | 0, from: 61, place: null };
    return { wanted, records: bytes.slice(61, byteLength) };
  }

  /** null: it must be read whole. */
  function given(log: PartitionLog, wanted: CheckedBatch): Uint8Array | null {
    const into = new Uint8Array(wanted.byteLength - wanted.from);
    return log.readPartSync(wanted, into) ? into : null;
  }

  it("is not given out of a segment whose seal was not looked at, wherever it was found before", async () => {
    const { log } = await opened(await partition(), OPTIONS);
    const { wanted, records } = await noted(log, 0);
    expect(given(log, wanted)).toEqual(records);
    expect(wanted.place).not.toBeNull();
    await log.reopen();
    expect(given(log, wanted)).toBeNull();
    expect(given(log, { ...wanted, place: null })).toBeNull();
    await log.read(0, 1);
    expect(given(log, wanted)).toEqual(records);
    await log.close(false);
  });

  it("is given out up to where the end of the log is not certain, and no further", async () => {
    const storage = memory();
    const { log } = await created(storage);
    for (const value of ["one", "two", "three"]) await send(log, value);
    const parts = [await noted(log, 0), await noted(log, 1), await noted(log, 2)] as const;
    await log.close(false);
    await withFile(storage, LOG, (file) => file.truncate(file.byteLength() - 3));
    const { log: again } = await opened(storage);
    await again.read(0, 1000);
    expect(parts.map(({ wanted }) => given(again, wanted))).toEqual([parts[0].records, parts[1].records, null]);
    await expect(again.read(2, 1)).rejects.toMatchObject({ name: "CorruptionError" });
    await again.close(false);
  });
});

describe("a search by time", () => {
  it("finds the same where the time index says other than the batches, or a batch's header cannot be read again", async () => {
    for (const harm of ["index", "header"] as const) {
      const storage = await partition();
      await withoutOurs(storage);
      if (harm === "index")
        // The last entries of all, an hour later than they were: still rising.
        for (const name of await names(storage, ".timeindex"))
          await withFile(storage, name, (file) => {
            const entry = new Uint8Array(12);
            const at = file.byteLength() - 12;
            if (at < 0) return;
            file.readAt(entry, at);
            new DataView(entry.buffer).setBigInt64(0, new DataView(entry.buffer).getBigInt64(0) + 300n);
            file.writeAt(entry, at);
          });
      else
        harmed(storage, (file) => {
          // As if someone had cut the file short, for as long as one header is read.
          const { readAt, byteLength } = file;
          let isCut = false;
          file.byteLength = () => (isCut ? 0 : byteLength.call(file));
          file.readAt = (into, position) => {
            isCut = into.length === 61;
            return isCut ? 0 : readAt.call(file, into, position);
          };
        });
      const { log } = await opened(storage, { ...OPTIONS, leftByUs: false, checkpoint: { recoveryPoint: COUNT, logStartOffset: 0 } });
      expect(await times(log), harm).toEqual(ALL_TIMES);
      await log.close(false);
    }
  });

  it("looks at nothing that is not durable yet, be it in a segment of its own", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const storage = harmed(memory(), (file) => {
      const { sync } = file;
      file.sync = async () => {
        await held;
        await sync.call(file);
      };
    });
    const { log } = await created(storage, OPTIONS);
    const sent = [];
    for (let index = 0; index < COUNT; index += 1) sent.push(append(log, [{ value: `value 0${index}`, timestamp: NOW_MS + 1000 * index }]));
    // Rolled, though nothing of it is flushed.
    for (let turns = 0; turns < 1000 && log.watermarks.logEndOffset < 4; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(log.watermarks).toMatchObject({ highWatermark: 0 });
    expect(log.watermarks.logEndOffset).toBeGreaterThan(3);
    expect(await log.offsetForTime(NOW_MS + 2500)).toBeNull();
    release();
    await Promise.all(sent);
    await log.flush();
    expect(await times(log)).toEqual(ALL_TIMES);
    await log.close(true);
  });

  it("goes by the marks of its beginning: what became readable meanwhile is not found, nor what was deleted", async () => {
    const storage = await partition();
    const { context, spec } = rig(storage, OPTIONS);
    const log = await openLog(context, spec);
    const { active } = log.segments;
    const reader = new LogReader(log, () => ({ segment: active, position: active.byteLength, offset: active.nextOffset }));
    const marks = { logStartOffset: 0, lastStableOffset: COUNT, highWatermark: COUNT, logEndOffset: COUNT };
    expect(await offsetForTime(log, reader, marks, NOW_MS + 1500)).toEqual({ offset: 2, timestamp: NOW_MS + 2000 });
    expect(await offsetForTime(log, reader, { ...marks, highWatermark: 2 }, NOW_MS + 1500)).toBeNull();
    const gone = { withSegment: async () => 0, limitOf: () => ({ position: 1, offset: COUNT }), read: async () => new Uint8Array(0) };
    expect(await offsetForTime(log, gone as unknown as LogReader, marks, NOW_MS + 1500)).toBeNull();
    log.segments.releaseActive();
    await Promise.all([...log.segments.all().map((segment) => segment.close()), log.state.close()]);
  });
});

describe("a batch that a reader waited for", () => {
  const bed = async (options: RigOptions = {}): Promise<{ log: PartitionLog; reads: () => number }> => {
    let count = 0;
    const storage = harmed(memory(), (file) => {
      const { readAt } = file;
      file.readAt = (into, position) => {
        count += 1;
        return readAt.call(file, into, position);
      };
    });
    const { log } = await created(storage, options);
    const reads = (): number => {
      const made = count;
      count = 0;
      return made;
    };
    return { log, reads };
  };
  const waitAt = (log: PartitionLog, offset: number): void => expect(log.readSync(offset, 1000)?.byteLength).toBe(0);

  it("is given to it without a look at the file, when it is durable and no sooner; to the next one from the file", async () => {
    const { log, reads } = await bed();
    for (let offset = 0; offset < 3; offset += 1) {
      waitAt(log, offset);
      const sent = send(log, `value ${offset}`);
      expect([log.watermarks.logEndOffset, log.readSync(offset, 1000)?.byteLength]).toEqual([offset + 1, 0]);
      await sent;
      reads();
      const given = log.readSync(offset, 1000) as Uint8Array;
      expect(reads()).toBe(0);
      const read = log.readSync(offset, 1000) as Uint8Array;
      expect(reads()).toBeGreaterThan(0);
      expect(given).toEqual(read);
      // Each has memory of its own.
      expect(given.buffer).not.toBe(read.buffer);
    }
    await log.close(true);
  });

  it("is a copy: what was lent is its sender's again", async () => {
    const { log } = await bed();
    waitAt(log, 0);
    const lent = batchOf([{ value: "one", timestamp: NOW_MS }]);
    await log.append(lent, { recordCount: 1, maxTimestamp: NOW_MS });
    const written = lent.slice();
    lent.fill(0);
    await log.flush();
    expect(log.readSync(0, 1000)).toEqual(written);
    await log.close(true);
  });

  it("comes with what stands behind it, where there is more", async () => {
    const { log } = await bed();
    waitAt(log, 0);
    await Promise.all([send(log, "one"), send(log, "two")]);
    expect(recordsIn(log.readSync(0, 1000) as Uint8Array).map(({ value }) => value)).toEqual(["one", "two"]);
    await log.close(true);
  });

  it("leaves the place behind it known: a reader that goes on there walks over no batch", async () => {
    const { log, reads } = await bed({ config: { indexIntervalBytes: 1_000_000 } });
    for (let offset = 0; offset < 5; offset += 1) await send(log, "v".repeat(5_000));
    waitAt(log, 5);
    await send(log, "awaited");
    expect(log.readSync(5, 1000)?.byteLength).toBeGreaterThan(0);
    await send(log, "behind it");
    reads();
    expect(log.readSync(6, 1000)?.byteLength).toBeGreaterThan(0);
    expect(reads()).toBe(1);
    await log.close(true);
  });

  it("is read from the file where it is large, was not waited for, or is more than is asked for", async () => {
    const { log, reads } = await bed();
    waitAt(log, 0);
    await send(log, "v".repeat(20_000));
    reads();
    log.readSync(0, 100_000);
    expect(reads()).toBeGreaterThan(0);
    await send(log, "not waited for");
    reads();
    log.readSync(1, 1000);
    expect(reads()).toBeGreaterThan(0);
    waitAt(log, 2);
    await send(log, "awaited");
    reads();
    expect(log.readSync(2, 10)?.byteLength).toBeGreaterThan(10);
    expect(reads()).toBeGreaterThan(0);
    await log.close(true);
  });
});

describe("a read below the log start", () => {
  it("that was moved since it was asked for finds nothing, and is no damage", async () => {
    const storage = memory();
    const { log: written } = await created(storage);
    await send(written, "one", "two");
    await written.deleteRecordsBefore(2);
    await written.close(true);
    await storage.remove(LOG);
    const { context, spec } = rig(storage);
    const log = await openLog(context, spec);
    const { active } = log.segments;
    expect([log.logStartOffset, active.baseOffset]).toEqual([2, 2]);
    const reader = new LogReader(log, () => ({ segment: active, position: active.byteLength, offset: active.nextOffset }));
    expect(await reader.read(1, 100)).toEqual(new Uint8Array(0));
    log.segments.releaseActive();
    await Promise.all([active.close(), log.state.close()]);
  });
});
