/** The storage contract, kept by every driver we ship and by the fence round each. */
import { describe, expect, it } from "vitest";
import { fenced } from "../../src/storage/fenced.ts";
import { memory } from "../../src/storage/memory.ts";
import { crashStorage } from "../../src/testing/crash-storage.ts";
import { storageContract } from "../../src/testing/storage-contract.ts";

const framework = { describe, it, expect };

storageContract("memory", async () => ({ driver: memory() }), framework);
storageContract("memory in the fence", async () => ({ driver: fenced(memory()) }), framework);
storageContract("simulated disk", async () => ({ driver: crashStorage() }), framework);
storageContract("simulated disk in the fence", async () => ({ driver: fenced(crashStorage()) }), framework);
