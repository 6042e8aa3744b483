/** A segment answers what it knows without its files, says so where it needs them, and takes no short read for damage. */
import { expect, it } from "vitest";
import { Segment } from "../../../src/log/segment/segment.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/index.ts";
import { put } from "../books/support.ts";
import { batchOf, created, NOW_MS, recordsIn, rig, send } from "../log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const BATCH = batchOf([{ value: "first", timestamp: NOW_MS }]);

/** One that was written before, its `.log` as it is now. */
async function found(bytes: Uint8Array): Promise<Segment> {
  const storage = memory();
  await put(storage, LOG, bytes);
  const segment = new Segment(rig(storage).context, "orders-0", 0, false);
  segment.byteLength = BATCH.length;
  return segment;
}

it("has the first timestamp of its first batch: none while there is no batch, while its files are closed, and where the header is gone", async () => {
  const { context, config } = rig(memory());
  await context.storage.createDirectory("orders-0");
  const empty = await Segment.create(context, "orders-0", 0, config);
  expect(empty.firstTimestamp).toBe(-1);
  const whole = await found(BATCH);
  await whole.acquire();
  expect(whole.firstTimestamp).toBe(NOW_MS);
  const cut = await found(BATCH.subarray(0, 40));
  await cut.acquire();
  expect(cut.firstTimestamp).toBe(-1);
  expect((await found(BATCH)).firstTimestamp).toBe(-1);
});

it("is not full while its files are closed, and gives them to nobody who has not opened them", async () => {
  const segment = await found(BATCH);
  expect(segment.indexIsFull(0)).toBe(false);
  expect(() => segment.openFiles).toThrow(`${LOG}: expected its files open, found them closed`);
  const files = await segment.acquire();
  expect(segment.indexIsFull(0)).toBe(true);
  expect(segment.indexIsFull(1000)).toBe(false);
  expect(segment.openFiles).toBe(files);
});

it("is read again where the system gave fewer bytes than stand there, and is not called damaged", async () => {
  const storage = faultyStorage(memory());
  const { log } = await created(storage);
  const value = "x".repeat(10_000);
  await send(log, value);
  // The first look is for the header, and finds it; the next one is for the whole batch.
  const short = storage.fail({ call: "readAt", name: /\.log$/, nth: 2, shortBy: 10 });
  expect(recordsIn(log.readSync(0, 100) ?? new Uint8Array(0))).toMatchObject([{ value }]);
  expect(short.metCount).toBe(1);
  await log.close(false);
});
