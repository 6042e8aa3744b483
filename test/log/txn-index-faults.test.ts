/** Aborted transactions stay aborted when a segment could not be sealed. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { expectTwin } from "./expect-twin.ts";
import { created, opened, type RigOptions } from "./log-rig.ts";
import { allBatches, sendAs } from "./producer-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 300, indexIntervalBytes: 100 } };

describe("a segment that could not be sealed", () => {
  // The disk was full when a segment was rolled: no seal. The log was closed in order, opened, and the process died. Recovery walks a
  // segment without a seal before the recovery point, took the state's word that the segment *at* the point has no transaction index
  // for a word about this one, and removed its index: what had been aborted in it was read as committed.
  it("keeps its transaction index through a close in order and a recovery", async () => {
    const disk = memory();
    const storage = faultyStorage(disk);
    const { log } = await created(storage, OPTIONS);
    const transaction = { producerId: 1n, producerEpoch: 0, recordCount: 1, transactional: true };
    const abort = { producerId: 1n, producerEpoch: 0, coordinatorEpoch: 0, commit: false };
    await sendAs(log, { ...transaction, baseSequence: 0 });
    await log.appendMarker(abort);
    await sendAs(log, { ...transaction, baseSequence: 1 });
    // The next one begins a segment, and finds no room in it; nor does the index of what was aborted before.
    storage.fail({ call: "writeAt", name: /txnindex$|[1-9]\.log$/, errno: "ENOSPC", times: Number.POSITIVE_INFINITY });
    await expect(log.appendMarker(abort)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    storage.mend();
    await log.close(true);
    const second = await opened(disk, { ...OPTIONS, cleanShutdown: true });
    await expectTwin(second.log, await allBatches(second.log));
    await second.log.appendMarker(abort);
    await second.log.flush();
    await second.log.close(false);
    const third = await opened(disk, OPTIONS);
    const batches = await allBatches(third.log);
    expect(batches.filter(({ marker }) => marker !== null).length).toBe(2);
    await expectTwin(third.log, batches);
    await third.log.close(true);
  });
});
