/** More segments are read at once than may stay open unread: none of those under a reader loses its files. */
import { expect, it } from "vitest";
import { IDLE_SEGMENTS_OPEN_MAX, idleSegmentsOf } from "../../src/log/segment/idle-segments.ts";
import { Segment } from "../../src/log/segment/segment.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { batchOf, NOW_MS, rig } from "./log-rig.ts";

it("whoever holds a segment reads its own bytes, though its turn to be closed comes, and its file number would go to the next", async () => {
  const { context, config } = rig(crashStorage());
  await context.storage.createDirectory("orders-0");
  const segments: Segment[] = [];
  const batches: Uint8Array[] = [];
  for (let baseOffset = 0; baseOffset < IDLE_SEGMENTS_OPEN_MAX + 8; baseOffset += 1) {
    const made = await Segment.create(context, "orders-0", baseOffset, config);
    const batch = batchOf([{ value: `of segment ${baseOffset}`, timestamp: NOW_MS }]);
    made.write(made.openFiles.log, batch, config);
    made.release();
    await made.close();
    const segment = new Segment(context, "orders-0", baseOffset, false);
    segment.byteLength = batch.length;
    segments.push(segment);
    batches.push(batch);
  }
  const held = await Promise.all(segments.map((segment) => segment.acquire()));
  for (const segment of segments) {
    // Another reader comes and goes: with it goes the turn of the oldest.
    await segment.acquire();
    segment.release();
    await segment.touch();
  }
  for (const [index, { log }] of held.entries()) {
    const bytes = new Uint8Array((batches[index] as Uint8Array).length);
    log.readAt(bytes, 0);
    expect(bytes).toEqual(batches[index]);
  }
  for (const segment of segments) segment.release();
});

it("how many stand open is bounded once for a data directory, whoever else hears of its logs", () => {
  const { context } = rig(crashStorage());
  const other: typeof context = { ...context, emit: () => {} };
  expect(idleSegmentsOf(other)).toBe(idleSegmentsOf(context));
  expect(idleSegmentsOf(rig(crashStorage()).context)).not.toBe(idleSegmentsOf(context));
});
