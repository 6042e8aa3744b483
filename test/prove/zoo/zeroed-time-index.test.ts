/**
 * Kafka on ZFS (blog.malizia.tech): after a crash the time indexes held nothing but zeros, every segment seemed to be from 1970, and
 * retention by time took fresh data. A time index says nothing that the batch which it names does not confirm.
 */
import { expect, it } from "vitest";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { created, opened, type RigOptions, readAll, send } from "../../log/log-rig.ts";

it("retention by time takes nothing by the word of a time index that is wrong", async () => {
  const options: RigOptions = { config: { segmentBytes: 500, indexIntervalBytes: 50, maxMessageBytes: 400, retentionMs: 60_000 } };
  const disk = crashStorage();
  const { log } = await created(disk, options);
  for (let index = 0; index < 30; index += 1) await send(log, `value ${index}`);
  await log.close(true);
  // Another writer's segments have no seal that would tell.
  for (const { name } of await disk.list("orders-0")) {
    if (name.endsWith(".seal")) await disk.remove(`orders-0/${name}`);
    if (!name.endsWith(".timeindex")) continue;
    const file = await disk.open(`orders-0/${name}`, { create: "no" });
    const entry = new DataView(new ArrayBuffer(12));
    entry.setBigInt64(0, 1n);
    entry.setInt32(8, 3);
    file.truncate(0);
    file.writeAt(new Uint8Array(entry.buffer), 0);
    await file.sync();
    await file.close();
  }
  const { log: next } = await opened(disk, { ...options, cleanShutdown: true });
  expect((await next.applyRetention()).segmentsDeleted).toBe(0);
  expect((await readAll(next)).length).toBe(30);
});
