/** The storage contract, kept by every driver we ship and by the fence round each. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { StorageDriver } from "../../src/api/storage-driver.ts";
import { fenced } from "../../src/storage/fenced.ts";
import { memory } from "../../src/storage/memory.ts";
import { nodeStorage } from "../../src/storage/node.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { faultyStorage } from "../../src/testing/faulty-storage.ts";
import { type ContractSubject, storageContract } from "../../src/testing/storage-contract.ts";

const framework = { describe, it, expect };

const onDisk = (wrap: (driver: StorageDriver) => StorageDriver) => async (): Promise<ContractSubject> => {
  const directory = await mkdtemp(join(tmpdir(), "odradek-contract-"));
  return {
    // Not there yet: the driver makes it.
    driver: wrap(nodeStorage(join(directory, "log", "data"))),
    dispose: () => rm(directory, { recursive: true }),
  };
};

storageContract("memory", async () => ({ driver: memory() }), framework);
storageContract("memory in the fence", async () => ({ driver: fenced(memory()) }), framework);
storageContract(
  "disk",
  onDisk((driver) => driver),
  framework,
);
storageContract("disk in the fence", onDisk(fenced), framework);
storageContract("simulated disk", async () => ({ driver: crashStorage() }), framework);
storageContract("simulated disk in the fence", async () => ({ driver: fenced(crashStorage()) }), framework);
storageContract("faulty storage without a fault", async () => ({ driver: faultyStorage(memory()) }), framework);

// A name below a file is told as a disk tells it, by those that have none: recovery asks what an error means by its errno.
describe.each([
  ["memory", memory],
  ["simulated disk", crashStorage],
] as const)("a name below a file, in %s", (_name, make) => {
  it("is refused with ENOTDIR, and one below nothing with ENOENT", async () => {
    const driver: StorageDriver = make();
    await (await driver.open("file", { create: "new" })).close();
    for (const [directory, code] of [
      ["file", "ENOTDIR"],
      ["nothing", "ENOENT"],
    ] as const) {
      await expect(driver.open(`${directory}/f`, { create: "if-missing" })).rejects.toMatchObject({ code });
      await expect(driver.remove(`${directory}/f`)).rejects.toMatchObject({ code });
      await expect(driver.syncDirectory(directory)).rejects.toMatchObject({ code });
    }
  });
});
