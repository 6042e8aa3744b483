/** An index of aborted transactions that the disk does not give: whoever opens the log is told, and nothing aborted is taken for committed. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { expectTwin } from "./expect-twin.ts";
import { created, opened, type RigOptions } from "./log-rig.ts";
import { allBatches, sendAs } from "./producer-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 300, indexIntervalBytes: 100 } };

describe("an index of aborted transactions that cannot be read", () => {
  it("is no index that is not there: the opening tells the disk's error, and the next one has every transaction as it was", async () => {
    const disk = memory();
    const { log } = await created(disk, OPTIONS);
    for (let round = 0; round < 6; round++) {
      await sendAs(log, { producerId: 1n, producerEpoch: 0, recordCount: 1, transactional: true, baseSequence: round });
      await log.appendMarker({ producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, commit: round % 2 === 1 });
    }
    await log.flush();
    await log.close(false);
    const storage = faultyStorage(disk);
    let refusals = 0;
    for (const call of ["open", "readAt"] as const) {
      for (const errno of ["EIO", "EACCES"] as const) {
        storage.fail({ call, name: /txnindex$/, errno, times: Number.POSITIVE_INFINITY });
        const told = await opened(storage, OPTIONS).then(
          async ({ log: open }) => {
            await open.close(false);
            return null;
          },
          (error: unknown) => error,
        );
        if (told !== null) {
          refusals += 1;
          expect(told).toMatchObject({ code: expect.stringMatching(/STORAGE_FAILED|PERMISSION_DENIED|EIO|EACCES/) as string });
        }
        storage.mend();
      }
    }
    expect(refusals).toBeGreaterThan(0);
    const again = await opened(disk, OPTIONS);
    await expectTwin(again.log, await allBatches(again.log));
    await again.log.close(true);
  });

  it("of a sealed segment is asked for by who reads there, told as the disk's error, and asked for again", async () => {
    const disk = memory();
    const { log } = await created(disk, OPTIONS);
    for (let round = 0; round < 6; round++) {
      await sendAs(log, { producerId: 1n, producerEpoch: 0, recordCount: 1, transactional: true, baseSequence: round });
      await log.appendMarker({ producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, commit: false });
    }
    await log.close(true);
    const storage = faultyStorage(disk);
    const { log: again } = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    storage.fail({ call: "open", name: /txnindex$/, errno: "EIO", times: Number.POSITIVE_INFINITY });
    await expect(again.abortedTransactions(0, 3)).rejects.toThrow(/EIO|txnindex/);
    storage.mend();
    expect((await again.abortedTransactions(0, 3)).length).toBeGreaterThan(0);
    await expectTwin(again, await allBatches(again));
    await again.close(true);
  });
});
