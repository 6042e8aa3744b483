/** What an opening believes of the books it finds beside a log, and what it finds out for itself. */
import { expect, it } from "vitest";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import { readBatchHeader } from "../../../src/base/record-batch.ts";
import { PartitionState, type PartitionStateFacts } from "../../../src/log/state/partition-state.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { bytesOf, get, put, text } from "../books/support.ts";
import { append, created, opened, type Rig, type RigOptions, readAll, send } from "../log-rig.ts";
import { sendAs } from "../producer-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const INDEX = "orders-0/00000000000000000000.index";
const STATE = "orders-0/odradek.state";
const EPOCHS = "orders-0/leader-epoch-checkpoint";
const OPTIONS: RigOptions = { config: { indexIntervalBytes: 1 } };
const CLEAN: RigOptions = { ...OPTIONS, cleanShutdown: true };
/** As a broker's directory: what we would know of it is not there. */
const THEIRS: RigOptions = { ...CLEAN, leftByUs: false };

/** Closed in order behind three records. */
async function closedLog(options: RigOptions = OPTIONS): Promise<{ storage: StorageDriver } & Rig> {
  const storage = memory();
  const { log, ...made } = await created(storage, options);
  for (const value of ["a", "b", "c"]) await send(log, value);
  await log.close(true);
  return { storage, ...made };
}

const values = async (log: Parameters<typeof readAll>[0]): Promise<string[]> => (await readAll(log)).map(({ value }) => value);

/** Lets the last entry of the offset index point elsewhere. Answers the index as it was. */
async function misleading(storage: StorageDriver, by: (position: number) => number): Promise<Uint8Array> {
  const before = (await get(storage, INDEX)) as Uint8Array<ArrayBuffer>;
  const bytes = before.slice();
  const view = new DataView(bytes.buffer);
  view.setInt32(bytes.length - 4, by(view.getInt32(bytes.length - 4)));
  await put(storage, INDEX, bytes);
  return before;
}

it("a creation that a crash cut short behind its epochs goes on in the epoch that was begun", async () => {
  const storage = memory();
  await put(storage, EPOCHS, bytesOf("0\n1\n0 0\n"));
  const { log } = await created(storage);
  await send(log, "a");
  expect(text(await get(storage, EPOCHS))).toBe("0\n1\n0 0\n");
  await log.close(true);
});

it("a state that says that all was closed in order, and not what was left, has the log looked at", async () => {
  const { storage, context, spec } = await closedLog();
  const state = await PartitionState.load(context, "orders-0", { ...spec, cleanShutdown: true });
  await state.writeDurably({ ...(state.facts() as PartitionStateFacts), activeSegment: null });
  await state.close();
  const index = await misleading(storage, (position) => position - 1);
  const { log } = await opened(storage, CLEAN);
  expect(await values(log)).toEqual(["a", "b", "c"]);
  await log.close(true);
  expect(await get(storage, INDEX)).toEqual(index);
});

it("another writer's index that points beyond its log is made anew, and nothing is lost", async () => {
  const { storage } = await closedLog();
  await storage.remove(STATE);
  const index = await misleading(storage, () => 0x7fff_0000);
  const { log } = await opened(storage, THEIRS);
  expect(await values(log)).toEqual(["a", "b", "c"]);
  await log.close(true);
  expect(await get(storage, INDEX)).toEqual(index);
});

it("another writer's log without a batch is empty, and begins with the first append", async () => {
  const storage = memory();
  const { log: made } = await created(storage, OPTIONS);
  await made.close(true);
  await storage.remove(STATE);
  const { log, events } = await opened(storage, THEIRS);
  expect(events).toEqual([]);
  expect(await send(log, "a")).toMatchObject({ baseOffset: 0 });
  await log.close(true);
});

it("another writer's log without a batch and without epochs begins with the first of them", async () => {
  const storage = memory();
  const { log: made } = await created(storage, OPTIONS);
  await made.close(true);
  for (const name of [STATE, EPOCHS]) await storage.remove(name);
  const { log } = await opened(storage, THEIRS);
  expect(log.leaderEpoch).toBe(0);
  await send(log, "a");
  expect(text(await get(storage, EPOCHS))).toBe("0\n1\n0 0\n");
  await log.close(true);
});

it("an epoch that batches carry and no checkpoint names is never used again", async () => {
  const { storage } = await closedLog();
  await storage.remove(STATE);
  await storage.remove(EPOCHS);
  const { log } = await opened(storage, THEIRS);
  await send(log, "d");
  expect(readBatchHeader(await log.read(2, 1)).leaderEpoch).toBe(0);
  expect(readBatchHeader(await log.read(3, 1)).leaderEpoch).toBe(1);
  await log.close(true);
});

// A log of three epochs whose checkpoint was lost began with epoch 0 again: compaction then found epochs that fell, and took that for damage.
it.each([
  ["closed in order", true, []],
  ["cut short by a crash", false, []],
  ["closed in order behind a roll", true, [450]],
  ["cut short by a crash behind a roll", false, [450]],
] as const)("nor is one of ours, when its checkpoint is lost: %s", async (_how, cleanShutdown, lengths) => {
  const options: RigOptions = { config: { indexIntervalBytes: 1, segmentBytes: 520 } };
  for (const lose of ["its file", "what it says"]) {
    const storage = memory();
    const { log: made } = await created(storage, options);
    await send(made, "0");
    await made.close(false);
    for (const epoch of [1, 2]) {
      const { log } = await opened(storage, options);
      expect(log.leaderEpoch).toBe(epoch);
      await send(log, `${epoch}`);
      for (const length of lengths) await send(log, "x".repeat(length));
      await log.close(epoch === 2 && cleanShutdown);
    }
    if (lose === "its file") await storage.remove(EPOCHS);
    else await put(storage, EPOCHS, bytesOf("0\n9\n0 0\n"));
    const { log } = await opened(storage, { ...options, cleanShutdown });
    const end = log.watermarks.highWatermark;
    await send(log, "next");
    expect([lose, readBatchHeader(await log.read(end, 1)).leaderEpoch]).toEqual([lose, 3]);
    expect((await values(log)).filter((value) => !value.startsWith("x"))).toEqual(["0", "1", "2", "next"]);
    await log.close(true);
  }
});

it("nor when an index leads nowhere, and the log's last segment is empty", async () => {
  const storage = memory();
  const options: RigOptions = { config: { indexIntervalBytes: 1, segmentBytes: 500 } };
  const { log: made } = await created(storage, options);
  await made.close(false);
  const { log: second } = await opened(storage, options);
  for (const value of ["a", "b", "c"]) await send(second, value);
  await second.close(true);
  await misleading(storage, () => 3);
  for (const kind of ["log", "index", "timeindex"]) await put(storage, `orders-0/00000000000000000003.${kind}`, new Uint8Array(0));
  for (const name of [EPOCHS, STATE]) await storage.remove(name);
  const { log } = await opened(storage, { ...options, checkpoint: { recoveryPoint: 3, logStartOffset: 0 } });
  await send(log, "d");
  expect([await values(log), readBatchHeader(await log.read(3, 1)).leaderEpoch]).toEqual([["a", "b", "c", "d"], 2]);
  await log.close(true);
});

it("epochs that cannot be believed are passed over, and the reason is told", async () => {
  const { storage } = await closedLog();
  await put(storage, EPOCHS, bytesOf("0\n2\n0 0\n"));
  const { log, events } = await opened(storage, { ...CLEAN, readOnly: true });
  const problem = `${EPOCHS}: line 2: says "2" entries follow, found 1`;
  expect(events).toEqual([{ type: "book.ignored", fields: { partition: { topic: "orders", partition: 0 }, problem } }]);
  await log.close(false);
});

it("files of another topic are refused by their directory's name, and left as they are", async () => {
  const { storage } = await closedLog();
  const before = [await storage.list("orders-0"), await get(storage, STATE)];
  await expect(opened(storage, { ...CLEAN, topicId: "AAECAwQFBgcICQoLDA0ODw" })).rejects.toMatchObject({
    name: "CorruptionError",
    code: "BOOK_CORRUPT",
    file: "orders-0",
    byteRange: [0, 0],
    offsetRange: [0, 0],
    nextReadableOffset: null,
  });
  expect([await storage.list("orders-0"), await get(storage, STATE)]).toEqual(before);
});

it("a producer known when all was closed in order is known after a crash that comes behind the next batch", async () => {
  const storage = memory();
  const first = { producerId: 7n, producerEpoch: 0, recordCount: 1, transactional: false, baseSequence: 0 };
  const { log: made } = await created(storage, OPTIONS);
  await sendAs(made, first);
  await made.close(true);
  const { log: next } = await opened(storage, CLEAN);
  await send(next, "somebody else's");
  await next.close(false);
  const { log } = await opened(storage, OPTIONS);
  expect([...log.producers.lastEntries()]).toEqual([{ producerId: 7n, producerEpoch: 0, lastDataOffset: 0 }]);
  expect(await sendAs(log, first)).toMatchObject({ baseOffset: 0, isDuplicate: true });
  await log.close(true);
});

it("of a log that no producer with an id has written nothing before the recovery point is read for one, after a crash either", async () => {
  const options: RigOptions = { config: { segmentBytes: 300 } };
  const storage = memory();
  const { log: made } = await created(storage, options);
  for (let count = 0; count < 8; count += 1) await send(made, "x".repeat(100));
  await made.close(false);
  const { log: recovered } = await opened(storage, options);
  await recovered.close(false);
  const watched = faultyStorage(storage);
  const read = watched.fail({ call: "readAt", name: /\/0+\.log$/, shortBy: 0 });
  const { log } = await opened(watched, options);
  expect([log.watermarks.logEndOffset, read.matchCount]).toEqual([8, 0]);
  expect(await values(log)).toHaveLength(8);
  expect(read.matchCount).toBeGreaterThan(0);
  await log.close(true);
});

it('a log closed as "os" writes nothing as "sync" before its state says so; another writer\'s needs no word of it', async () => {
  const full = { call: "writeAt", name: /odradek\.state$/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY } as const;
  const ours = await closedLog({ config: { ...OPTIONS.config, durability: "os" } });
  const theirs = await closedLog();
  await theirs.storage.remove(STATE);
  for (const { storage, options, code } of [
    { ...ours, options: CLEAN, code: "STORAGE_FULL" },
    { ...theirs, options: THEIRS, code: null },
  ]) {
    const faulty = faultyStorage(storage);
    const { log } = await opened(faulty, options);
    faulty.fail(full);
    const told = await send(log, "d").then(
      () => null,
      (error: { readonly code: string }) => error.code,
    );
    expect([told, log.watermarks.logEndOffset]).toEqual([code, code === null ? 4 : 3]);
    faulty.mend();
    await send(log, "e");
    await log.close(true);
  }
});

it("a rewritten segment with unwritten space behind it is not put in place, and nothing is changed", async () => {
  const { storage } = await closedLog();
  const rewritten = (await get(storage, LOG)) as Uint8Array;
  await put(storage, `${LOG}.swap`, new Uint8Array([...rewritten, ...new Uint8Array(100)]));
  const before = await storage.list("orders-0");
  await expect(opened(storage, CLEAN)).rejects.toThrow(
    `${LOG}.swap:${rewritten.length}: expected the whole of a rewritten segment that is to be put in place, found zero; nothing in orders-0 is`,
  );
  expect(await storage.list("orders-0")).toEqual(before);
  const { log, events } = await opened(storage, { ...CLEAN, frozen: true });
  expect(events).toMatchObject([{ type: "swap.ignored", fields: { problem: expect.stringContaining("found zero; nothing in") } }]);
  expect(await values(log)).toEqual(["a", "b", "c"]);
  await log.close(false);
});

it("indexes that are missing are made again as they were, also of batches that have no time", async () => {
  const options: RigOptions = { config: { indexIntervalBytes: 1, segmentBytes: 300 } };
  const storage = memory();
  const { log } = await created(storage, options);
  for (let count = 0; count < 8; count += 1) await append(log, [{ value: "x".repeat(50), timestamp: -1 }]);
  await log.flushed(8);
  await log.close(true);
  const before = await get(storage, INDEX);
  expect(before?.length).toBeGreaterThan(0);
  await storage.remove(INDEX);
  const { log: next, events } = await opened(storage, { ...options, cleanShutdown: true });
  expect(events).toMatchObject([{ type: "index.rebuilt", fields: { why: "it was missing" } }]);
  expect(await get(storage, INDEX)).toEqual(before);
  expect((await readAll(next)).map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 8 }, () => -1));
  await next.close(true);
  expect((await get(storage, INDEX.replace(".index", ".timeindex")))?.length).toBe(0);
});

// The prover of flipped bits found the first of these: a line of Kafka's text, which no sum covers, said that epoch 1 begins at 94 instead of 14. What was
// then appended at 17 carried it, was acknowledged, and was refused by every reader for not carrying epoch 0.
it.each([
  ["behind the end", "0\n2\n0 0\n1 94\n", 2],
  ["just behind the end", "0\n2\n0 0\n1 4\n", 2],
  ["at the end", "0\n2\n0 0\n1 3\n", 1],
  ["alone, behind the end", "0\n1\n7 94\n", 8],
])("a book of epochs whose last one begins %s has the next append under one that readers believe", async (_where, book, epoch) => {
  const { storage } = await closedLog();
  await put(storage, EPOCHS, bytesOf(book));
  const { log } = await opened(storage, CLEAN);
  expect((await send(log, "d")).baseOffset).toBe(3);
  expect(await values(log)).toEqual(["a", "b", "c", "d"]);
  await log.close(true);
  const again = await opened(storage, CLEAN);
  expect(await values(again.log)).toEqual(["a", "b", "c", "d"]);
  const last = again.log.readSync(3, 4096) as Uint8Array;
  expect(readBatchHeader(last).leaderEpoch).toBe(epoch);
  expect(text(await get(storage, EPOCHS))).toMatch(new RegExp(`\n${epoch} 3\n$`));
  await again.log.close(true);
});
