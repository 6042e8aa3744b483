/**
 * Attaching where a runtime allows little: `attach-permissions.mjs RULES`, which is JSON: `{ directory, free, owner, ownerAlone, attached, blind }`, commands
 * of a runtime without limits, of an owner that may listen and one that may not, of one that may attach and one that may not connect; any but the first may
 * be null. One line of JSON.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Sharer } from "./sharing.mjs";

const { directory, free, owner, ownerAlone, attached, blind } = JSON.parse(process.argv[2]);
const failed = [];
let passed = 0;
let count = 0;
const opened = ({ open }) => open !== undefined;
const ended = ({ error, open, refused }) => refused === undefined && (open ?? error) !== undefined;

if (owner !== null)
  await told("an owner with what the docs name lets others attach, who need less", async (path, start) => {
    const first = start(owner, path, "owner", {});
    await first.hears("to open", opened);
    const second = start(attached ?? free, path, "attached");
    await second.goesOn();
  });
if (attached !== null)
  await told("who may only attach works through the owner, and is told in words when nobody can have the log", async (path, start) => {
    const first = start(free, path, "owner", {});
    await first.hears("to open", opened);
    const second = start(attached, path, "attached");
    await second.goesOn();
    await first.kill();
    const { error } = await second.hears("to be refused", ({ refused }) => refused !== undefined);
    expect(/PERMISSION_DENIED|LOCK_UNAVAILABLE|STORAGE_FAILED|NETWORK_EXCEPTION/, error.code);
  });
if (ownerAlone !== null)
  await told("an owner that may not listen says what to allow, goes on alone, and is named to who comes", async (path, start) => {
    const first = start(ownerAlone, path, "owner", {});
    const { error } = await first.hears("that it may not listen", ({ event }) => event === "attach.unavailable");
    expect(/PERMISSION_DENIED.*odradek-attach-\*.*--allow-fs-write/, `${error.code} ${error.message}`);
    await first.goesOn();
    const second = start(free, path, "attached");
    const refused = await second.hears("that nobody listens", ended);
    expect(/DIRECTORY_IN_USE.*may not listen/, `${refused.error?.code} ${refused.error?.message}`);
    expect(first.process.pid, refused.error.holder.pid);
  });
if (blind !== null)
  await told("who may not connect is told what to allow", async (path, start) => {
    const first = start(free, path, "owner", {});
    await first.hears("to open", opened);
    const refused = await start(blind, path, "blind").hears("to be refused", ended);
    expect(/PERMISSION_DENIED.*--allow-net/, `${refused.error?.code} ${refused.error?.message}`);
  });
console.log(JSON.stringify({ passed, failed }));

async function told(name, body) {
  const path = join(directory, `shared-${process.pid}-${count++}`);
  mkdirSync(path);
  const started = [];
  try {
    await body(path, (...given) => {
      started.push(new Sharer(given[0], path, given[2], given[3]));
      return started.at(-1);
    });
    passed += 1;
  } catch (error) {
    failed.push({ name, problem: error.stack });
  }
  await Promise.all(started.map((each) => each.kill()));
}

function expect(pattern, found) {
  if (pattern instanceof RegExp ? pattern.test(found) : pattern === found) return;
  throw new Error(`expected ${pattern}, found ${found}`);
}
