/** On an "os" topic a flush follows the writer in small pieces, and the recovery point in large ones. */
import { expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { FLUSH_BEHIND_BYTES, RECOVERY_POINT_INTERVAL_BYTES } from "../../src/log/append/flush-policy.ts";
import { memory } from "../../src/storage/memory.ts";
import { append, created, NOW_MS } from "./log-rig.ts";

/** A storage in memory, and how much longer the log's file was at each flush of it. */
function memoryWithFlushes(): { storage: StorageDriver; pieces: number[] } {
  const storage = memory();
  const pieces: number[] = [];
  const open = storage.open.bind(storage);
  let flushedByteLength = 0;
  storage.open = async (name, options) => {
    const file = await open(name, options);
    if (!name.endsWith(".log")) return file;
    const sync = file.sync.bind(file);
    file.sync = () => {
      pieces.push(file.byteLength() - flushedByteLength);
      flushedByteLength = file.byteLength();
      return sync();
    };
    return file;
  };
  return { storage, pieces };
}

it("flushes an os topic's bytes in pieces, without anyone asking, and notes a recovery point only now and then", async () => {
  const { storage, pieces } = memoryWithFlushes();
  const { log } = await created(storage, { config: { durability: "os" } });
  const value = "y".repeat(256 * 1024);
  const appendBytes = async (byteLength: number): Promise<void> => {
    for (const until = log.byteLength + byteLength; log.byteLength < until; await new Promise(setImmediate))
      await append(log, [{ value, timestamp: NOW_MS }]);
  };
  await appendBytes(FLUSH_BEHIND_BYTES / 2);
  expect(pieces.filter((byteLength) => byteLength > 0)).toEqual([]);
  await appendBytes(6 * FLUSH_BEHIND_BYTES);
  const written = pieces.filter((byteLength) => byteLength > 0);
  expect(written.length).toBeGreaterThanOrEqual(5);
  expect(Math.max(...written)).toBeLessThan(FLUSH_BEHIND_BYTES + 2 * value.length);
  expect(log.recoveryPoint).toBe(0);
  await appendBytes(RECOVERY_POINT_INTERVAL_BYTES);
  expect(log.recoveryPoint).toBeGreaterThan(0);
  await log.close(true);
}, 60_000);
