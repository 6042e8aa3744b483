/**
 * The suite in Node, Bun or Deno: the face on disk and in memory, the storage contract for both drivers, other processes and modules.
 * `node-like.mjs [DIRECTORY [alone]]`: where data goes; "alone" where no process may be started but the lock's. Prints one line of JSON.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as odradek from "odradek";
import { storageContract } from "odradek/testing";
import { faceSuite } from "./face-suite.mjs";
import { Kit } from "./kit.mjs";
import { processSuite } from "./process-suite.mjs";

const [home = mkdtempSync(join(tmpdir(), "odradek-runtime-")), alone] = process.argv.slice(2);
let count = 0;
const kit = new Kit();
// Not made: a log makes its own directory.
const directory = () => join(home, `${process.pid}-${count++}`);
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
    mkdirSync(path);
    return { driver: odradek.nodeStorage(path), dispose: async () => rmSync(path, { recursive: true, force: true }) };
  },
  kit,
);
processSuite(odradek, directory, kit, alone !== "alone");
console.log(JSON.stringify(await kit.run()));
