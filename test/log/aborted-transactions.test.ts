/** Aborted transactions over many segments: Kafka's search, what is kept in memory, and what is told when an index lies. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TransactionEntries } from "../../src/log/producers/transaction-entries.ts";
import { type AbortedTransaction, decodeTransactionIndex, encodeTransactionIndex } from "../../src/log/producers/transaction-index.ts";
import { memory } from "../../src/storage/memory.ts";
import { expectTwin } from "./expect-twin.ts";
import { created, opened, type RigOptions } from "./log-rig.ts";
import { allBatches, type Sent, sendAs, twinAborted } from "./producer-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 100 } };

/** Transactions of five producers that cross, one in two of them aborted. */
async function history(
  rounds: number,
  options: RigOptions = OPTIONS,
): Promise<{ storage: ReturnType<typeof memory>; aborted: AbortedTransaction[] }> {
  const storage = memory();
  const { log } = await created(storage, options);
  for (let round = 0; round < rounds; round += 1) {
    const producerId = BigInt(round % 5);
    const sent: Sent = { producerId, producerEpoch: 0, baseSequence: Math.floor(round / 5), recordCount: 1, transactional: true };
    await sendAs(log, sent);
    const ended = BigInt((round * 3) % 5);
    await log.appendMarker({ producerId: ended, producerEpoch: 0, coordinatorEpoch: 0, commit: round % 2 === 0 });
  }
  await log.flush();
  const aborted = twinAborted(await allBatches(log));
  await log.close(true);
  return { storage, aborted };
}

describe("an index of aborted transactions", () => {
  it("finds those that overlap a range, in bytes as in a list that is walked", () => {
    const gap = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, gap), { maxLength: 40 }), fc.nat(120), fc.nat(120), (gaps, from, length) => {
        let end = 0;
        const all = gaps.map(([ahead, back]) => {
          end += ahead;
          return { producerId: BigInt(end), firstOffset: Math.max(0, end - back), lastOffset: end, lastStableOffset: Math.max(0, end - 4) };
        });
        const entries = new TransactionEntries(encodeTransactionIndex(all.slice(0, 3)));
        for (const each of all.slice(3)) entries.add(each);
        expect(decodeTransactionIndex(entries.bytes())).toEqual(all);
        const found: AbortedTransaction[] = [];
        const isComplete = entries.collect(from, from + length, found);
        const candidates = all.filter((each) => each.lastOffset >= from);
        const stop = candidates.findIndex((each) => each.lastStableOffset >= from + length);
        expect(isComplete).toBe(stop >= 0);
        const looked = stop < 0 ? candidates : candidates.slice(0, stop + 1);
        expect(found).toEqual(looked.filter((each) => each.firstOffset < from + length));
      }),
    );
  });
});

describe("a log of many segments with aborted transactions", () => {
  it("knows them all again after a clean close, without waiting once they were asked for", async () => {
    const { storage, aborted } = await history(60);
    expect(aborted.length).toBeGreaterThan(15);
    const { log, events } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    expect(log.abortedTransactionsSync(0, 1000)).toBeNull();
    expect(await log.abortedTransactions(0, 1000)).toEqual(aborted);
    expect(log.abortedTransactionsSync(0, 1000)).toEqual(aborted);
    await expectTwin(log, await allBatches(log));
    expect(events.map(({ type }) => type)).not.toContain("txnindex.rebuilt");
    await log.close(true);
  });

  it("keeps a bound of them in memory: what was read long ago is read again", async () => {
    const { storage, aborted } = await history(60);
    const { log } = await opened(storage, { ...OPTIONS, cleanShutdown: true, keptTransactionBytesMax: 34 });
    for (let time = 0; time < 2; time += 1) expect(await log.abortedTransactions(0, 1000)).toEqual(aborted);
    expect(log.abortedTransactionsSync(0, 1000)).toBeNull();
    await log.close(true);
  });

  it("makes any index again that is flipped, cut or gone, tells of it once, and answers as before", async () => {
    const { storage, aborted } = await history(30);
    const names = (await storage.list("orders-0")).map(({ name }) => name).filter((name) => name.endsWith(".txnindex"));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      for (const harm of ["flipped", "cut", "longer", "gone"] as const) {
        const file = await storage.open(`orders-0/${name}`, { create: "no" });
        const before = new Uint8Array(file.byteLength());
        file.readAt(before, 0);
        const bits = harm === "flipped" ? [0, 15, 16, 77, 80, 143, 144, 207, 208, 271] : [0];
        for (const bit of bits) {
          if (harm === "flipped") file.writeAt(new Uint8Array([(before[bit >>> 3] as number) ^ (1 << (bit & 7))]), bit >>> 3);
          else if (harm === "cut") file.truncate(before.length - 34);
          else if (harm === "longer") file.writeAt(before.subarray(0, 34), before.length);
          else await storage.remove(`orders-0/${name}`);
          const { log, events } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
          expect(await log.abortedTransactions(0, 1000)).toEqual(aborted);
          expect(events.filter(({ type }) => type === "txnindex.rebuilt").map(({ fields }) => fields["file"])).toEqual([
            `orders-0/${name}`,
          ]);
          await log.close(true);
        }
        await file.close();
        const mended = await storage.open(`orders-0/${name}`, { create: "no", readOnly: true });
        const after = new Uint8Array(mended.byteLength());
        mended.readAt(after, 0);
        expect(after).toEqual(before);
        await mended.close();
      }
    }
  });
});
