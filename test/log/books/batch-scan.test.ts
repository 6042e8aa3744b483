/** A walk over batches, where one is longer than the core looks at in one piece, and the way on behind damage. */
import { describe, expect, it } from "vitest";
import type { StorageFile } from "../../../src/api/storage-driver.ts";
import { stampBatch, stampChecksum } from "../../../src/base/record-batch.ts";
import { type ScanExpectation, scanBatches } from "../../../src/log/batch/batch-scan.ts";
import { batchBehind } from "../../../src/log/batch/resync.ts";
import { memory } from "../../../src/storage/memory.ts";
import { core, NOW_MS } from "../log-rig.ts";

const EXACT: ScanExpectation = { nextOffset: 0, order: "exact", epochFor: () => 0 };

function batchAt(offset: number, value: Uint8Array): Uint8Array {
  core.writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  core.writer.append(null, value, null, NOW_MS);
  const batch = core.writer.finish().slice();
  stampBatch(batch, offset, 0);
  return batch;
}

async function fileOf(...batches: readonly Uint8Array[]): Promise<{ file: StorageFile; byteLength: number }> {
  const file = await memory().open("f", { create: "new" });
  let byteLength = 0;
  for (const batch of batches) byteLength += file.writeAt(batch, byteLength);
  return { file, byteLength };
}

describe("a walk that comes to a batch longer than the core's window", () => {
  const long = (): Uint8Array => batchAt(0, new Uint8Array(core.readWindowByteLength));
  const small = batchAt(1, new Uint8Array(5));
  const walk = ({ file, byteLength }: { file: StorageFile; byteLength: number }, expectation: ScanExpectation, stopAt = -1) => {
    const seen: number[] = [];
    const end = scanBatches(core, file, [0, byteLength], expectation, ({ baseOffset }) => {
      seen.push(baseOffset);
      return baseOffset === stopAt ? "stop" : undefined;
    });
    return end.then((at) => ({ ...at, seen }));
  };

  it("takes it in as any other, and ends with it where that is asked for", async () => {
    const batch = long();
    const log = await fileOf(batch, small);
    expect(await walk(log, EXACT)).toMatchObject({ reason: "end", position: log.byteLength, nextOffset: 2, seen: [0, 1] });
    expect(await walk(log, EXACT, 0)).toMatchObject({ reason: "end", position: batch.length, nextOffset: 1, seen: [0] });
  });

  it("takes none that does not belong there, whole as it is", async () => {
    const log = await fileOf(long(), small);
    expect(await walk(log, { ...EXACT, nextOffset: 3 })).toMatchObject({ reason: "order", detail: "expected offset 3, found 0", seen: [] });
    expect(await walk(log, { ...EXACT, epochFor: () => 2 })).toMatchObject({ reason: "epoch", position: 0, seen: [] });
    const backwards = long();
    backwards.set([0xff, 0xff, 0xff, 0xff], 23);
    stampChecksum(backwards, core);
    expect(await walk(await fileOf(backwards, small), EXACT)).toMatchObject({
      reason: "order",
      detail: "its last offset -1 is below its first",
      seen: [],
    });
  });

  it("takes none that reads otherwise the second time, by what its checksum leaves open either", async () => {
    const log = await fileOf(long(), small);
    const { readAt } = log.file;
    let reads = 0;
    log.file.readAt = (into, position) => {
      const count = readAt.call(log.file, into, position);
      reads += 1;
      if (reads === 2) into[16] = 1;
      return count;
    };
    expect(await walk(log, EXACT)).toMatchObject({ reason: "checksum", detail: "magic 1", position: 0, seen: [] });
  });
});

describe("behind a batch whose length cannot be believed", () => {
  async function behind(count: number) {
    // Its value holds batches as whole as the one that follows it; none of them leads on to the end.
    const inner = batchAt(1, new Uint8Array(3));
    const value = new Uint8Array(count * inner.length);
    for (let index = 0; index < count; index += 1) value.set(inner, index * inner.length);
    const damaged = batchAt(0, value);
    damaged.set([0x7f, 0xff], 8);
    const { file, byteLength } = await fileOf(damaged, batchAt(1, new Uint8Array(5)));
    const stopped = await scanBatches(core, file, [0, byteLength], EXACT, () => {});
    expect(stopped).toMatchObject({ position: 0, nextOffset: 0 });
    return { found: await batchBehind(core, file, stopped, { position: byteLength, offset: 2 }, EXACT), at: damaged.length };
  }

  it("the log goes on where batches lead to its end, whatever stands in a value; and of too many beginnings none is believed", async () => {
    for (const count of [0, 1, 31]) {
      const { found, at } = await behind(count);
      expect(found, `${count} batches in the value`).toEqual({ position: at, baseOffset: 1 });
    }
    expect((await behind(32)).found).toBeNull();
  });
});
