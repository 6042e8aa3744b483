/**
 * The suite in Node, Bun or Deno: the face on disk and in memory, the storage contract for both drivers, threads, other processes and modules.
 * `node-like.mjs [DIRECTORY] [alone] [measure]`: where data goes; "alone" where nothing may be started but the lock's program. Prints one line of JSON.
 */
import { mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as odradek from "odradek";
import { storageContract } from "odradek/testing";
import { attachFigures } from "./attach-figures.mjs";
import { attachSuite } from "./attach-suite.mjs";
import { faceSuite } from "./face-suite.mjs";
import { figures } from "./figures.mjs";
import { Kit } from "./kit.mjs";
import { processSuite } from "./process-suite.mjs";

const words = process.argv.slice(2);
const home = words.find((word) => word.startsWith("/")) ?? mkdtempSync(join(tmpdir(), "odradek-runtime-"));
const isAlone = words.includes("alone");
const flags = globalThis.Deno === undefined ? process.execArgv : ["run", "-A", "--no-prompt"];
const command = isAlone ? null : [process.execPath, ...flags];
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
processSuite(odradek, directory, kit, command);
const found = isAlone ? {} : attachSuite(odradek, directory, kit, command);
const outcome = await kit.run();
outcome.figures = found;
if (words.includes("measure")) {
  const path = directory();
  mkdirSync(path);
  const file = openSync(join(path, "raw"), "w+");
  const raw = {
    write: (bytes, position) => writeSync(file, bytes, 0, bytes.length, position),
    read: (into, position) => readSync(file, into, 0, into.length, position),
  };
  outcome.measured = await figures(odradek, () => odradek.open(join(path, "log")), raw);
  if (command !== null) outcome.measured.push(...(await attachFigures(odradek, directory, command)));
  rmSync(path, { recursive: true, force: true });
}
console.log(JSON.stringify(outcome));
