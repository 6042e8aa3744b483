import { expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { cleanupPolicy: "compact", durability: "os", segmentBytes: 100, indexIntervalBytes: 1 } };

// Compaction leaves gaps, so in a compacted topic a gap was believed anywhere: of two segments that nobody had flushed the power took the
// bytes of the first, and the second was served behind the hole. On "os" a suffix may go, and nothing from the middle.
it("a compacted topic that loses its power before a flush ends where its bytes do", async () => {
  const storage = memory();
  const { log } = await created(storage, OPTIONS);
  const state = await storage.open("orders-0/odradek.state", { create: "no" });
  const before = new Uint8Array(state.byteLength());
  state.readAt(before, 0);
  for (let value = 0; value < 3; value += 1) await append(log, [{ value: `value ${value}`, timestamp: NOW_MS }]);
  await log.close(false);
  const first = await storage.open("orders-0/00000000000000000000.log", { create: "no" });
  first.truncate(0);
  await first.close();
  state.writeAt(before, 0);
  await state.close();
  for (const { name } of await storage.list("orders-0")) if (name.endsWith(".seal")) await storage.remove(`orders-0/${name}`);
  const { log: again } = await opened(storage, OPTIONS);
  expect(again.failure).toBe(null);
  expect(again.watermarks).toMatchObject({ logStartOffset: 0, logEndOffset: 0 });
  expect(await readAll(again)).toEqual([]);
  await again.close(true);
});
