/** Every bit of a cleanly closed partition is flipped in turn: no flip is given out as good data, none shortens the log (C9). */
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { CorruptionError } from "../../src/base/errors.ts";
import { memory } from "../../src/storage/memory.ts";
import { created, opened, type RigOptions, recordsIn, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { cleanShutdown: true, config: { segmentBytes: 500, indexIntervalBytes: 100 } };
const COUNT = 14;

async function partition(): Promise<StorageDriver> {
  const storage = memory();
  const { log } = await created(storage, OPTIONS);
  for (let index = 0; index < COUNT; index += 1) await send(log, `value ${index}`);
  await log.close(true);
  return storage;
}

async function flip(storage: StorageDriver, name: string, bit: number): Promise<void> {
  const file = await storage.open(name, { create: "no" });
  const byte = new Uint8Array(1);
  file.readAt(byte, bit >>> 3);
  byte[0] = (byte[0] as number) ^ (1 << (bit & 7));
  file.writeAt(byte, bit >>> 3);
  await file.close();
}

describe("a flipped bit in a cleanly closed partition", () => {
  it("is never given out as good data and never shortens the log", async () => {
    const storage = await partition();
    const names = (await storage.list("orders-0"))
      .map((entry) => entry.name)
      .filter((name) => /\.(log|index|timeindex|seal)$|leader-epoch/.test(name));
    let damagedReads = 0;
    for (const name of names) {
      const path = `orders-0/${name}`;
      const file = await storage.open(path, { create: "no" });
      const bitCount = file.byteLength() * 8;
      await file.close();
      const stride = name.endsWith(".log") ? 1 : 7;
      for (let bit = 0; bit < bitCount; bit += stride) {
        await flip(storage, path, bit);
        const { log } = await opened(storage, { ...OPTIONS, readOnly: true });
        expect(log.watermarks.logEndOffset, `${name} bit ${bit}`).toBe(COUNT);
        let unreadable = 0;
        for (let offset = 0; offset < COUNT; offset += 1) {
          try {
            const records = recordsIn(await log.read(offset, 1));
            expect(records, `${name} bit ${bit} offset ${offset}`).toMatchObject([{ offset, value: `value ${offset}` }]);
          } catch (error) {
            if (!(error instanceof CorruptionError)) throw error;
            unreadable += 1;
          }
        }
        if (name.endsWith(".log")) expect(unreadable, `${name} bit ${bit}: seen by nobody`).toBeGreaterThan(0);
        else if (!name.startsWith("leader")) expect(unreadable, `${name} bit ${bit}: a derived file changed an answer`).toBe(0);
        damagedReads += unreadable;
        await log.close(false);
        await flip(storage, path, bit);
      }
    }
    expect(damagedReads).toBeGreaterThan(0);
  }, 240_000);
});
