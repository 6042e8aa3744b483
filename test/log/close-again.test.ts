/** A clean close of a log that was closed cleanly before: what it reads and writes, and what it leaves for the next opening. */
import { describe, expect, it } from "vitest";
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS, opened, readAll } from "./log-rig.ts";

const LOG = "orders-0/00000000000000000000.log";
const VALUE = "x".repeat(9_000);
const CLEAN = { cleanShutdown: true } as const;

interface Counted {
  readonly storage: StorageDriver;
  /** Since the last call. */
  seen(): { readonly logBytesRead: number; readonly changes: readonly string[] };
}

/** Counts what is read of segments, and lists whatever changes a file or asks for a flush. */
function counted(inner: StorageDriver): Counted {
  let logBytesRead = 0;
  let changes: string[] = [];
  const file = (name: string, { ...calls }: StorageFile, target: StorageFile): StorageFile =>
    Object.assign(calls, {
      readAt: (into: Uint8Array, position: number): number => {
        if (name.endsWith(".log")) logBytesRead += into.length;
        return target.readAt(into, position);
      },
      writeAt: (bytes: Uint8Array, position: number): number => {
        changes.push(`write ${name}`);
        return target.writeAt(bytes, position);
      },
      truncate: (byteLength: number): void => {
        changes.push(`truncate ${name}`);
        target.truncate(byteLength);
      },
      sync: (): Promise<void> => {
        changes.push(`sync ${name}`);
        return target.sync();
      },
      byteLength: (): number => target.byteLength(),
      modifiedAt: (): number => target.modifiedAt(),
      readAhead: (position: number, byteLength: number): Promise<void> => target.readAhead(position, byteLength),
      close: (): Promise<void> => target.close(),
    });
  const storage = new Proxy(inner, {
    get(target, call) {
      if (call === "open")
        return async (name: string, options: Parameters<StorageDriver["open"]>[1]): Promise<StorageFile> => {
          const opened = await target.open(name, options);
          return file(name, opened, opened);
        };
      const value: unknown = Reflect.get(target, call, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const seen = (): { logBytesRead: number; changes: string[] } => {
    const was = { logBytesRead, changes };
    logBytesRead = 0;
    changes = [];
    return was;
  };
  return { storage, seen };
}

async function filled(storage: StorageDriver, batches: number): Promise<number> {
  const { log } = await created(storage);
  for (let batch = 0; batch < batches; batch += 1) await append(log, [{ value: VALUE, timestamp: NOW_MS }]);
  await log.flush();
  const { byteLength } = log;
  await log.close(true);
  return byteLength;
}

async function flip(storage: StorageDriver, at: number): Promise<void> {
  const file = await storage.open(LOG, { create: "no" });
  const byte = new Uint8Array(1);
  file.readAt(byte, at);
  file.writeAt(
    byte.map((value) => value ^ 1),
    at,
  );
  await file.close();
}

describe("a clean close of a log that nothing was appended to", () => {
  // It read the whole active segment to sum it, and flushed five files: a process that only looked at a log of a gibibyte took a second to end.
  it("reads no segment, changes no file and flushes none", async () => {
    const { storage, seen } = counted(memory());
    await filled(storage, 30);
    for (let turn = 0; turn < 2; turn += 1) {
      const { log } = await opened(storage, CLEAN);
      seen();
      await log.close(true);
      expect(seen()).toEqual({ logBytesRead: 0, changes: [] });
    }
    const { log, events } = await opened(storage, CLEAN);
    expect((await readAll(log)).map(({ value }) => value)).toEqual(Array.from({ length: 30 }, () => VALUE));
    expect(events).toEqual([]);
    await log.close(true);
  });

  it("leaves what was damaged since as damage: no sum is made of it", async () => {
    const storage = memory();
    await filled(storage, 30);
    const { log } = await opened(storage, CLEAN);
    await flip(storage, 100_000);
    await log.close(true);
    const { log: again } = await opened(storage, CLEAN);
    await expect(readAll(again)).rejects.toMatchObject({ name: "CorruptionError" });
    await again.close(true);
  });
});

describe("a clean close of a log that a little was appended to", () => {
  it("sums what was appended and the block it began in, and no more", async () => {
    const { storage, seen } = counted(memory());
    const byteLength = await filled(storage, 200);
    const { log } = await opened(storage, CLEAN);
    await append(log, [{ value: VALUE, timestamp: NOW_MS }]);
    await log.flush();
    seen();
    await log.close(true);
    expect(byteLength).toBeGreaterThan(20 * 65_536);
    expect(seen().logBytesRead).toBeLessThanOrEqual(4 * 65_536);
    const { log: again, events } = await opened(storage, CLEAN);
    expect(await readAll(again)).toHaveLength(201);
    expect(events).toEqual([]);
    await again.close(true);
  });

  it.each([
    ["in a block that the close before had summed", 100_000],
    ["in the block that it had left begun", -1],
  ])("leaves damage %s as damage", async (_where, place) => {
    const storage = memory();
    const byteLength = await filled(storage, 30);
    const { log } = await opened(storage, CLEAN);
    await flip(storage, place < 0 ? byteLength - 500 : place);
    await append(log, [{ value: VALUE, timestamp: NOW_MS }]);
    await log.flush();
    await log.close(true);
    const { log: again } = await opened(storage, CLEAN);
    await expect(readAll(again)).rejects.toMatchObject({ name: "CorruptionError" });
    await again.close(true);
  });
});
