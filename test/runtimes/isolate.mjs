/** The suite where there are no files: the face and the storage contract over the memory driver. What a bundle for an isolate begins with. */
import * as odradek from "odradek";
import { storageContract } from "odradek/testing";
import { faceSuite } from "./face-suite.mjs";
import { Kit } from "./kit.mjs";

export function runSuite() {
  const kit = new Kit();
  const inMemory = async () => {
    const storage = odradek.memory();
    return { open: (options) => odradek.open({ ...options, storage }) };
  };
  kit.describe("in memory", () => faceSuite(odradek, inMemory, kit));
  storageContract("memory", async () => ({ driver: odradek.memory() }), kit);
  return kit.run();
}
