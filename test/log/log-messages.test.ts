/** What an error of the log says at three in the morning: what was expected, what was found, and where. */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/storage/memory.ts";
import { created, opened, type RigOptions, send } from "./log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const OPTIONS: RigOptions = { config: { maxMessageBytes: 100 }, maxUnflushedBytes: 100 };

/** Ten batches; the one at offset 4 is damaged below the durable end, then read. */
async function messageFor(damage: (batch: DataView) => void): Promise<string> {
  const storage = memory();
  const { log } = await created(storage, OPTIONS);
  for (let index = 0; index < 10; index += 1) await send(log, `value ${index}`);
  await log.close(false);
  const byteLength = await change(storage, damage);
  const again = await opened(storage, OPTIONS);
  const error = await again.log.read(4, 1).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: "CorruptionError", file: LOG, byteRange: [byteLength * 4, expect.any(Number)] });
  await again.log.close(false);
  return (error as Error).message;
}

async function change(storage: StorageDriver, damage: (batch: DataView) => void): Promise<number> {
  const file = await storage.open(LOG, { create: "no" });
  const byteLength = file.byteLength() / 10;
  const batch = new Uint8Array(byteLength);
  file.readAt(batch, byteLength * 4);
  damage(new DataView(batch.buffer));
  file.writeAt(batch, byteLength * 4);
  await file.close();
  return byteLength;
}

describe("the message for a damaged batch", () => {
  const where = /^batch at orders-0\/0{20}\.log:\d+: /;
  const cases: readonly [string, (batch: DataView) => void, RegExp][] = [
    ["a record", (batch) => batch.setUint8(70, 0xff), /checksum: computed crc [0-9a-f]{8}, stored [0-9a-f]{8}/],
    ["an offset", (batch) => batch.setUint8(7, 9), /order: expected offset 4, found 9/],
    ["an epoch", (batch) => batch.setInt32(12, 7), /epoch: expected leader epoch 0, found 7/],
    ["a magic", (batch) => batch.setUint8(16, 9), /magic:? .*9/],
    ["a length", (batch) => batch.setInt32(8, 2 ** 30), /length:? .*says 1073741836 bytes/],
  ];
  it.each(cases)("%s names the place, what was expected and what was found", async (_, damage, what) => {
    const message = await messageFor(damage);
    expect(message).toMatch(where);
    expect(message).toMatch(what);
    expect(message).toMatch(/the next readable offset is 5|nothing behind it can be read/);
  });

  it("at the end of the log says how far it goes, and what to do", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    for (let index = 0; index < 10; index += 1) await send(log, `value ${index}`);
    await log.close(false);
    const file = await storage.open(LOG, { create: "no" });
    const end = file.byteLength();
    file.writeAt(new Uint8Array(500).fill(7), end);
    const first = await opened(storage, OPTIONS);
    expect(first.log.failure?.message).toMatch(
      new RegExp(
        `^batch at ${LOG}:${end}: (length|magic): expected .+; ${LOG} goes on more than 100 bytes behind it, which no torn write explains; nothing is appended until it is repaired$`,
      ),
    );
    await first.log.close(false);
    file.truncate(end - 20);
    await file.close();
    const second = await opened(storage, OPTIONS);
    expect(second.log.failure?.message).toBe(
      `${LOG}: expected ${end} durable bytes, found ${end - 20}; offsets 9 to 9 are missing; nothing is appended until it is repaired`,
    );
    await second.log.close(false);
  });
});
