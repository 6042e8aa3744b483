/** Batches of producers on their way into a partition: what is remembered, what is refused, and what becomes of a write that fails. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { created, NOW_MS, opened } from "./log-rig.ts";
import { allBatches, producerBatch, type Sent, sendAs } from "./producer-rig.ts";

const SEQUENCE_MAX = 2 ** 31 - 1;

function sent(baseSequence: number, recordCount = 1, more: Partial<Sent> = {}): Sent {
  return { producerId: 7n, producerEpoch: 0, baseSequence, recordCount, transactional: false, ...more };
}

describe("a batch sent again", () => {
  it("is answered with the offsets it got, as long as it is among the last five; before that it is out of order", async () => {
    const { log } = await created(memory());
    for (let index = 0; index < 6; index += 1) await sendAs(log, sent(index * 2, 2));
    const end = log.watermarks.logEndOffset;
    for (let index = 5; index >= 1; index -= 1) {
      const expected = { baseOffset: index * 2, lastOffset: index * 2 + 1, byteLength: 0, isDuplicate: true };
      expect(await sendAs(log, sent(index * 2, 2))).toMatchObject(expected);
    }
    const message = /orders-0: producer 7, epoch 0: expected sequence 12, found 0/;
    await expect(sendAs(log, sent(0, 2))).rejects.toMatchObject({
      code: "OUT_OF_ORDER_SEQUENCE_NUMBER",
      message: expect.stringMatching(message),
    });
    // The same first sequence and another last one is another batch.
    await expect(sendAs(log, sent(10, 1))).rejects.toMatchObject({ code: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    expect(log.watermarks.logEndOffset).toBe(end);
    await log.close(true);
  });

  it("waits for durability like the first: it is not acknowledged before that is", async () => {
    let letGo = (): void => {};
    let held: Promise<void> | null = null;
    const { log } = await created(crashStorage({ latency: async (call) => (call === "sync" ? (held ?? undefined) : undefined) }));
    held = new Promise<void>((resolve) => (letGo = resolve));
    const first = await sendAs(log, sent(0));
    const again = await sendAs(log, sent(0));
    expect(again).toMatchObject({ baseOffset: first.baseOffset, isDuplicate: true });
    let isAcknowledged = false;
    const acknowledged = log.flushed(again.lastOffset + 1).then(() => (isAcknowledged = true));
    for (let turns = 0; turns < 20; turns += 1) await null;
    expect(isAcknowledged).toBe(false);
    letGo();
    await acknowledged;
    await log.close(true);
  });

  it("carries the time it got then, where the topic stamps it", async () => {
    const clock = new ManualClock(NOW_MS);
    const { log } = await created(memory(), { clock, config: { messageTimestampType: "LogAppendTime" } });
    expect(await sendAs(log, sent(0))).toMatchObject({ logAppendTime: NOW_MS, isDuplicate: false });
    clock.jump(1000);
    expect(await sendAs(log, sent(0))).toMatchObject({ logAppendTime: NOW_MS, isDuplicate: true });
    await log.close(true);
  });

  it("is known after a clean close and after a crash, across the turn of the sequences", async () => {
    for (const clean of [true, false]) {
      const storage = memory();
      const { log } = await created(storage);
      await sendAs(log, sent(SEQUENCE_MAX - 2, 2));
      await sendAs(log, sent(SEQUENCE_MAX, 3));
      await log.flush();
      await log.close(clean);
      const again = await opened(storage, { cleanShutdown: clean });
      expect(await sendAs(again.log, sent(SEQUENCE_MAX, 3))).toMatchObject({ baseOffset: 2, lastOffset: 4, isDuplicate: true });
      expect(await sendAs(again.log, sent(2))).toMatchObject({ baseOffset: 5, isDuplicate: false });
      await again.log.close(true);
    }
  });
});

describe("batches that wait their turn", () => {
  it("are checked in their order, when their turn comes: what was sent twice is written once", async () => {
    // Room for one batch at a time.
    const { log } = await created(memory(), { maxUnflushedBytes: 1 });
    const sends = [sent(0), sent(1), sent(1), sent(2), sent(4), sent(3)].map((each) =>
      Promise.resolve(log.append(producerBatch(each), { recordCount: 1, maxTimestamp: NOW_MS })),
    );
    const settled = await Promise.allSettled(sends);
    expect(settled.map((each) => (each.status === "fulfilled" ? each.value.baseOffset : each.reason.code))).toEqual([
      0,
      1,
      1,
      2,
      "OUT_OF_ORDER_SEQUENCE_NUMBER",
      3,
    ]);
    await log.flush();
    expect((await allBatches(log)).map(({ baseSequence }) => baseSequence)).toEqual([0, 1, 2, 3]);
    await log.close(true);
  });
});

describe("a write that fails", () => {
  it("leaves what is known of its producer as it was: the same batch is written when it is sent again", async () => {
    const storage = faultyStorage(memory());
    const { log } = await created(storage);
    await sendAs(log, sent(0, 1, { transactional: true }));
    storage.fail({ call: "writeAt", name: /\.log$/, times: 1, errno: "ENOSPC" });
    await expect(sendAs(log, sent(1, 1, { transactional: true }))).rejects.toMatchObject({ retriable: true });
    storage.fail({ call: "writeAt", name: /\.log$/, times: 1, errno: "ENOSPC" });
    const marker = { producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0, commit: false };
    await expect(log.appendMarker(marker)).rejects.toMatchObject({ retriable: true });
    expect(log.producers.openTransactions()).toMatchObject([{ firstOffset: 0 }]);
    expect(await sendAs(log, sent(1, 1, { transactional: true }))).toMatchObject({ baseOffset: 1, isDuplicate: false });
    expect(await log.appendMarker(marker)).toMatchObject({ baseOffset: 2 });
    await log.flush();
    expect(await log.abortedTransactions(0, 3)).toEqual([{ producerId: 7n, firstOffset: 0, lastOffset: 2, lastStableOffset: 3 }]);
    await log.close(true);
  });
});

describe("a producer", () => {
  it("of a newer epoch begins at 0, and shuts the older one out", async () => {
    const { log } = await created(memory());
    await sendAs(log, sent(0));
    await expect(sendAs(log, sent(1, 1, { producerEpoch: 1 }))).rejects.toMatchObject({ code: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
    await sendAs(log, sent(0, 1, { producerEpoch: 1 }));
    const stale = {
      code: "INVALID_PRODUCER_EPOCH",
      message: expect.stringMatching(/orders-0: producer 7: expected epoch 1 or more, found 0/),
    };
    await expect(sendAs(log, sent(1))).rejects.toMatchObject(stale);
    await log.close(true);
  });

  it("silent for a day is forgotten, unless a transaction of its is open; any sequence is then taken from it", async () => {
    const clock = new ManualClock(NOW_MS);
    const storage = memory();
    const day = 24 * 3_600_000;
    const { log } = await created(storage, { clock });
    await sendAs(log, sent(0));
    await sendAs(log, sent(0, 1, { producerId: 8n, transactional: true }));
    await sendAs(log, sent(0, 1, { producerId: 9n, timestamp: NOW_MS + 1 }));
    log.producers.expire(NOW_MS + day - 1, day);
    expect(log.producers.size).toBe(3);
    log.producers.expire(NOW_MS + day, day);
    expect([...log.producers.lastEntries()].map(({ producerId }) => producerId)).toEqual([8n, 9n]);
    expect(await sendAs(log, sent(40))).toMatchObject({ isDuplicate: false });
    expect(log.producers.largestProducerId()).toBe(9n);
    await log.close(true);
    clock.jump(day + 1);
    const again = await opened(storage, { clock, cleanShutdown: true });
    expect([...again.log.producers.lastEntries()].map(({ producerId }) => producerId)).toEqual([8n]);
    await again.log.close(true);
  });

  it("without an id leaves nothing behind: no snapshot is written, at a roll, at a clean close, or in recovery", async () => {
    const storage = memory();
    const options = { config: { segmentBytes: 400 } };
    const { log } = await created(storage, options);
    const plain = sent(-1, 3, { producerId: -1n, producerEpoch: -1 });
    for (let count = 0; count < 6; count += 1) await sendAs(log, plain);
    await log.close(true);
    for (const cleanShutdown of [true, false, false]) {
      const again = await opened(storage, { ...options, cleanShutdown });
      await sendAs(again.log, plain);
      await again.log.flush();
      await again.log.close(false);
    }
    const names = (await storage.list("orders-0")).map(({ name }) => name);
    expect(names.filter((name) => /snapshot|txnindex/.test(name))).toEqual([]);
    expect(names.filter((name) => name.endsWith(".log")).length).toBeGreaterThan(2);
  });
});
