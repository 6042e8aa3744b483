/** The suite in Node, Bun or Deno: the face on disk and in memory, the storage contract for both drivers. Prints one line of JSON. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as odradek from "odradek";
import { storageContract } from "odradek/testing";
import { faceSuite } from "./face-suite.mjs";
import { Kit } from "./kit.mjs";

const kit = new Kit();
const directory = () => mkdtempSync(join(tmpdir(), "odradek-runtime-"));
const onDisk = async () => {
  const path = directory();
  return { open: (options) => odradek.open(path, options), dispose: async () => rmSync(path, { recursive: true, force: true }) };
};
const inMemory = async () => {
  const storage = odradek.memory();
  return { open: (options) => odradek.open({ ...options, storage }) };
};
kit.describe("on disk", () => faceSuite(odradek, onDisk, kit));
kit.describe("in memory", () => faceSuite(odradek, inMemory, kit));
storageContract("memory", async () => ({ driver: odradek.memory() }), kit);
storageContract(
  "node",
  async () => {
    const path = directory();
    return { driver: odradek.nodeStorage(path), dispose: async () => rmSync(path, { recursive: true, force: true }) };
  },
  kit,
);
console.log(JSON.stringify(await kit.run()));
