/** A system that takes fewer bytes than it was given, and says so: as a full disk, a limit of the process or a signal makes it. */
import { expect, it } from "vitest";
import { readBytes, writeBytes } from "../../../src/log/files/file-bytes.ts";
import { memory } from "../../../src/storage/memory.ts";
import { faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";

it.each([
  ["a megabyte", 2_500_000, 1024 * 1024],
  ["seven bytes", 100, 7],
  ["one byte", 20, 1],
])("a write of which the system takes %s at a time is written whole", async (_, byteLength, atMost) => {
  const storage = faultyStorage(memory());
  storage.fail({ call: "writeAt", atMost, times: Number.POSITIVE_INFINITY });
  const file = await storage.open("x.log", { create: "new" });
  const bytes = new SeededRandom(byteLength).bytes(byteLength);
  writeBytes(file, bytes, 3);
  expect(file.byteLength()).toBe(byteLength + 3);
  expect(Buffer.compare(readBytes(file, 3, byteLength), bytes)).toBe(0);
});
