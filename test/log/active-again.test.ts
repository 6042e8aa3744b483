/** A segment that was sealed and is the last one again, since a loss of power took the next. */
import { describe, expect, it, vi } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS, opened, type RigOptions, readAll } from "./log-rig.ts";

const STATE = "orders-0/odradek.state";
const OPTIONS: RigOptions = { config: { durability: "os", segmentBytes: 250, indexIntervalBytes: 1 } };

async function names(storage: StorageDriver, suffix: string): Promise<string[]> {
  return (await storage.list("orders-0"))
    .map(({ name }) => name)
    .filter((name) => name.endsWith(suffix))
    .sort();
}

async function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

/** The power went when the first segment had its seal: what came after it, the next segment's name and the newer state, did not reach the disk. */
async function losePower(storage: StorageDriver, state: Uint8Array): Promise<void> {
  const last = (await names(storage, ".log")).at(-1)?.replace(".log", "") ?? "";
  for (const name of await names(storage, "")) if (name.startsWith(last)) await storage.remove(`orders-0/${name}`);
  const file = await storage.open(STATE, { create: "no" });
  file.writeAt(state, 0);
  await file.close();
}

describe("a segment that becomes the active one again", () => {
  // Its old seal stayed. Once more had been written behind it and it was no longer the last one, that seal did not fit any more, and the
  // opening after a mere crash told of it as of damage.
  it("has no seal until it is left again", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    const fillOne = async (into: typeof log): Promise<void> => {
      while ((await names(storage, ".log")).length === 1)
        await append(into, [{ value: `record ${into.watermarks.logEndOffset}`, timestamp: NOW_MS }]);
      await vi.waitFor(async () => expect(await names(storage, ".seal")).toHaveLength(1));
    };
    const state = await bytesOf(storage, STATE);
    await fillOne(log);
    await log.close(false);
    await losePower(storage, state);
    const { log: again } = await opened(storage, OPTIONS);
    expect(await names(storage, ".log")).toHaveLength(1);
    expect(await names(storage, ".seal")).toEqual([]);
    await fillOne(again);
    await again.close(false);
    const { log: last, events } = await opened(storage, OPTIONS);
    expect((await readAll(last)).map(({ value }) => value)).toEqual(
      Array.from({ length: last.watermarks.logEndOffset }, (_, offset) => `record ${offset}`),
    );
    expect(events.filter(({ type }) => type === "seal.ignored")).toEqual([]);
    await last.close(true);
  });
});
