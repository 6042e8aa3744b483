/** The epoch of a log's last batch, found without its book: also where an index leads nowhere, and with nothing left open. */
import { expect, it } from "vitest";
import { lastEpochIn } from "../../../src/log/opening/last-epoch.ts";
import { Segment } from "../../../src/log/segment/segment.ts";
import { memory } from "../../../src/storage/memory.ts";
import { core, created, opened, type RigOptions, rig, send } from "../log-rig.ts";

const OPTIONS: RigOptions = { config: { indexIntervalBytes: 1 } };

it.each([
  ["as it was written", null],
  ["leads into a batch", 3],
  ["leads beyond the log", 0x7fff_0000],
])("the index %s", async (_how, position) => {
  const storage = memory();
  const { log: first } = await created(storage, OPTIONS);
  await first.close(false);
  const { log: second } = await opened(storage, OPTIONS);
  for (const value of ["a", "b", "c"]) await send(second, value);
  const { byteLength } = second;
  await second.close(true);
  if (position !== null) {
    const index = await storage.open("orders-0/00000000000000000000.index", { create: "no" });
    const entry = new DataView(new ArrayBuffer(4));
    entry.setInt32(0, position);
    index.writeAt(new Uint8Array(entry.buffer), index.byteLength() - 4);
    await index.close();
  }
  const { context } = rig(storage, OPTIONS);
  const full = new Segment(context, "orders-0", 0, true);
  full.byteLength = byteLength;
  const empty = new Segment(context, "orders-0", 3, true);
  expect(await lastEpochIn(core, [full, empty])).toBe(1);
  expect([full.isHeld, full.files]).toEqual([false, null]);
  expect(await lastEpochIn(core, [empty])).toBe(-1);
});
