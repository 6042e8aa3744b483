/**
 * Processes of every runtime that has files share one directory, and their owners are killed one after another: `mixed.mjs DIRECTORY RUNTIMES`, which
 * is JSON, [name, command] each. One line of JSON.
 */
import * as odradek from "odradek";
import { checkAll, killOwner, Sharer } from "./sharing.mjs";

const [directory, runtimes] = process.argv.slice(2);
const log = await odradek.open(directory);
await log.createTopic("t");
await log.close();
const all = JSON.parse(runtimes).map(([name, command]) => new Sharer(command, directory, name));
const failed = [];
let passed = 0;
const tookMs = [];
try {
  await Promise.all(all.map((each) => each.hears("to open", ({ open }) => open !== undefined)));
  let living = all;
  let owner = all.find(({ lines }) => lines.some(({ event }) => event === "owner.became"));
  while (living.length > 1) {
    await Promise.all(living.map((each) => each.goesOn()));
    const killed = owner;
    const { next, tookMs: took } = await killOwner(killed, living);
    tookMs.push(took);
    living = living.filter((each) => each !== killed);
    owner = next;
    passed += 1;
  }
  await owner.ends();
  await checkAll(odradek, directory, all);
  passed += 1;
} catch (error) {
  failed.push({ name: "runtimes that share a directory", problem: error.stack });
}
await Promise.all(all.map((each) => each.kill()));
const figures = tookMs.length === 0 ? {} : { "takeovers after": `${tookMs.join(", ")} ms` };
console.log(JSON.stringify({ passed, failed, figures }));
