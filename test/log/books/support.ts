/** What the tests of the books share: a core, the golden directories, and disks that lose power at every moment. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { StorageDriver } from "../../../src/api/storage-driver.ts";
import type { Core } from "../../../src/core/core.ts";
import { loadCore } from "../../../src/core/load-core.ts";
import type { LogContext } from "../../../src/log/context/log-context.ts";
import { type CrashStorage, crashStorage, ManualClock, SeededRandom } from "../../../src/testing/index.ts";
import { compressionOf } from "../../compression/support.ts";

const GOLDEN = fileURLToPath(new URL("../../fixtures/golden/", import.meta.url));

export const core: Core = await loadCore();

export function golden(path: string): Uint8Array {
  return new Uint8Array(readFileSync(`${GOLDEN}${path}`));
}

export function goldenFiles(directory: string): string[] {
  return readdirSync(`${GOLDEN}${directory}`);
}

/** Puts a file into a storage, directories and all. */
export async function put(storage: StorageDriver, name: string, bytes: Uint8Array): Promise<void> {
  if (name.includes("/")) await storage.createDirectory(name.split("/")[0] as string);
  const file = await storage.open(name, { create: "if-missing" });
  file.truncate(0);
  if (bytes.byteLength > 0) file.writeAt(bytes, 0);
  await file.close();
}

/** The bytes of a file, or null. */
export async function get(storage: StorageDriver, name: string): Promise<Uint8Array | null> {
  const directory = name.includes("/") ? (name.split("/")[0] as string) : "";
  const base = name.slice(directory === "" ? 0 : directory.length + 1);
  if (!(await storage.list(directory)).some((entry) => entry.name === base)) return null;
  const file = await storage.open(name, { create: "no", readOnly: true });
  const bytes = new Uint8Array(file.byteLength());
  file.readAt(bytes, 0);
  await file.close();
  return bytes;
}

export function text(bytes: Uint8Array | null): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array(0));
}

export function bytesOf(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

export function contextOn(storage: StorageDriver): LogContext {
  return {
    storage,
    core,
    compression: compressionOf(core),
    clock: new ManualClock(),
    random: new SeededRandom(1),
    emit: () => {},
    maxUnflushedBytes: 8 * 1024 * 1024,
    readOnly: false,
  };
}

/**
 * Runs `body` on a disk, and before every asynchronous step of it looks with `check` at (up to `limit`) disks that a loss
 * of power at that moment could leave; once more at the end. Answers how many were looked at.
 */
export async function atEveryCrash(
  body: (storage: CrashStorage) => Promise<void>,
  check: (disk: CrashStorage) => Promise<void>,
  limit = 40,
): Promise<number> {
  let isChecking = false;
  let count = 0;
  const look = async (): Promise<void> => {
    if (isChecking) return;
    isChecking = true;
    for (const disk of storage.enumerateCrashes(limit)) {
      count += 1;
      await check(disk);
    }
    isChecking = false;
  };
  // Small sectors: what is written in one call can be torn.
  const storage = crashStorage({ latency: look, sectorByteLength: 64 });
  await body(storage);
  await look();
  return count;
}
