/** What the disks of whole engines hand out again, and what not. */
import { expect, it } from "vitest";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { batchOf, NOW_MS } from "../../log/log-rig.ts";
import { UNLIKE_BATCHES } from "./unlike-batches.ts";

const SECTOR_BYTE_LENGTH = 512;

/** Whether a sector with these bytes, given back by one file, is ever read in another whose own never came to the disk. */
async function comesBack(bytes: Uint8Array): Promise<boolean> {
  const disk = crashStorage({ sectorByteLength: SECTOR_BYTE_LENGTH, ...UNLIKE_BATCHES });
  const [old, next] = [await disk.open("old", { create: "new" }), await disk.open("next", { create: "new" })];
  old.writeAt(bytes, 0);
  await Promise.all([old.sync(), next.sync()]);
  await disk.syncDirectory("");
  await disk.remove("old");
  next.writeAt(new Uint8Array(SECTOR_BYTE_LENGTH).fill(7), 0);
  for (let seed = 0; seed < 60; seed += 1) {
    const left = disk.afterCrash(new SeededRandom(seed), { survival: "scatter", fill: "stale" }).peek("next");
    if (left !== null && left.length > 0 && Buffer.from(left).subarray(0, bytes.length).equals(bytes)) return true;
  }
  return false;
}

const sectorOf = (bytes: Uint8Array): Uint8Array => {
  const sector = new Uint8Array(SECTOR_BYTE_LENGTH);
  sector.set(bytes.subarray(0, SECTOR_BYTE_LENGTH));
  return sector;
};

it("a whole batch at a sector's beginning comes back in no other file; half of one does, and whatever else a file held", async () => {
  const small = batchOf([{ value: "small", timestamp: NOW_MS }]);
  const large = batchOf([{ value: "x".repeat(600), timestamp: NOW_MS }]);
  expect(await comesBack(sectorOf(small))).toBe(false);
  expect(await comesBack(sectorOf(large))).toBe(true);
  expect(await comesBack(sectorOf(new TextEncoder().encode("0\n1\norders 0 5\n")))).toBe(true);
});
