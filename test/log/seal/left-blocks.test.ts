/** The sums that a segment is left with: right ones for what was looked at, and for damage ones that never match. */
import { expect, it } from "vitest";
import { stampBatch } from "../../../src/base/record-batch.ts";
import { blockChecksums, SEAL_BLOCK_BYTE_LENGTH } from "../../../src/log/files/block-checksums.ts";
import { checksumsToLeave } from "../../../src/log/seal/left-blocks.ts";
import { Segment } from "../../../src/log/segment/segment.ts";
import { memory } from "../../../src/storage/memory.ts";
import { batchOf, core, NOW_MS, rig } from "../log-rig.ts";

const VALUE_BYTE_LENGTH = 20_000;
const BATCH_COUNT = 12;

/** Some four blocks of batches, which this process found and has not looked at. */
async function found() {
  const { context, config } = rig(memory());
  await context.storage.createDirectory("orders-0");
  const segment = await Segment.create(context, "orders-0", 0, config);
  const files = segment.openFiles;
  for (let offset = 0; offset < BATCH_COUNT; offset += 1) {
    const batch = batchOf([{ value: "x".repeat(VALUE_BYTE_LENGTH), timestamp: NOW_MS }]);
    stampBatch(batch, offset, 0);
    segment.write(files.log, batch, config);
    segment.admit(files, batch.length, offset, NOW_MS, config.indexIntervalBytes);
  }
  segment.warmFrom = segment.byteLength;
  const sums = (): number[] => blockChecksums(core, files.log, segment.byteLength);
  return { segment, files, sums, leave: () => checksumsToLeave(core, segment, files, () => null) };
}

it("are those of the file where all of it is whole, told by a seal that nobody has looked at or by none", async () => {
  for (const checksums of ["unread", null] as const) {
    const { segment, sums, leave } = await found();
    segment.checksums = checksums;
    expect(await leave()).toEqual(sums());
  }
});

it("do not match the damage that a walk finds, in a block that the last close told of no more than in another", async () => {
  for (const toldCount of [0, 2]) {
    const { segment, files, sums, leave } = await found();
    segment.checksums = { byteLength: toldCount * SEAL_BLOCK_BYTE_LENGTH, checksums: sums().slice(0, toldCount) };
    // Within the records of the second batch, all of which lies in the first block.
    files.log.writeAt(Uint8Array.of(0), VALUE_BYTE_LENGTH + 1000);
    const [damaged, ...others] = sums();
    const [left, ...rest] = await leave();
    expect(left).not.toBe(damaged);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(rest).toEqual(others);
  }
});
