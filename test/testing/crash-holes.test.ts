/** The simulated disk's files whose length was set: what is written into a hole may not come to the disk though the length has. */
import { expect, it } from "vitest";
import { type CrashStorage, type CrashStorageOptions, crashStorage } from "../../src/testing/crash-storage.ts";

const SECTOR = 32;

/** 10 bytes and a length of 8 sectors, durable; then sector 3 is written, and no flush covers it. */
async function holed(options: CrashStorageOptions = {}): Promise<CrashStorage> {
  const disk = crashStorage({ sectorByteLength: SECTOR, ...options });
  const file = await disk.open("a.log", { create: "new" });
  file.writeAt(new Uint8Array(10).fill(1), 0);
  file.truncate(8 * SECTOR);
  await file.sync();
  await disk.syncDirectory("");
  file.writeAt(new Uint8Array(SECTOR).fill(3), 3 * SECTOR);
  return disk;
}

/** What each sector is: its one byte, "?" for several. */
const told = (bytes: Uint8Array | null): string =>
  Array.from({ length: (bytes?.length ?? 0) / SECTOR }, (_, sector) => {
    const found = new Set(bytes?.subarray(sector * SECTOR, (sector + 1) * SECTOR));
    return found.size === 1 ? [...found][0] : "?";
  }).join("");

it("is the length and what was flushed; what was not came, or its place is empty, or reads as anything", async () => {
  const disk = await holed();
  const seen = new Set([...disk.enumerateCrashes(100)].map((image) => told(image.peek("a.log"))));
  expect(seen).toEqual(new Set(["?0030000", "?0000000", "?00?0000"]));
});

it("is a block at a time where the file system gives blocks, of which none was the file's before", async () => {
  const disk = await holed({ blockByteLength: 4 * SECTOR });
  // The block of sectors 0 to 3 was the file's: there the rest of it is what it was.
  expect(new Set([...disk.enumerateCrashes(100)].map((image) => told(image.peek("a.log"))))).toEqual(
    new Set(["?0030000", "?0000000", "?00?0000"]),
  );
  const file = await disk.open("a.log", { create: "no" });
  await file.sync();
  file.writeAt(new Uint8Array(SECTOR).fill(5), 5 * SECTOR);
  const seen = new Set([...disk.enumerateCrashes(100)].map((image) => told(image.peek("a.log"))));
  expect(seen).toEqual(new Set(["?0030500", "?0030000", "?003????"]));
});

it("is a hole again behind a cut", async () => {
  const disk = await holed();
  const file = await disk.open("a.log", { create: "no" });
  file.truncate(2 * SECTOR);
  file.truncate(8 * SECTOR);
  await file.sync();
  file.writeAt(new Uint8Array(SECTOR).fill(4), 4 * SECTOR);
  const seen = new Set([...disk.enumerateCrashes(100)].map((image) => told(image.peek("a.log"))));
  expect(seen.has("?0000000") && seen.has("?0004000") && seen.has("?000?000")).toBe(true);
});
