/**
 * Serves the suite with workerd: once in memory, then one Durable Object on disk for each test, then what must hold when the process is
 * killed. `workerd.mjs WORKERD CONFIG DISK [measure]`. Prints one line of JSON.
 */
import { rmSync } from "node:fs";
import { add, report, told } from "./told.mjs";
import { WorkerdServer } from "./workerd-server.mjs";

const [program, config, directory, isMeasured] = process.argv.slice(2);
const KILL_ROUNDS = 3;
const further = {};
rmSync(directory, { recursive: true, force: true });
const server = new WorkerdServer(program, config, directory);
try {
  await server.start();
  add(await server.ask("/"));
  const count = await server.ask("/count");
  for (let test = 0; test < count; test += 1) add(await server.ask(`/suite?test=${test}`));
  await told("an object without SQLite is told what to do", async () => {
    const [said] = await server.ask("/refused");
    if (!/new_sqlite_classes/.test(said)) throw new Error(`it was told: ${said}`);
  });
  await told("bytes of the core, which are not compiled here, are told to come as a module", async () => {
    const [, said] = await server.ask("/refused");
    if (!/^CORE_UNAVAILABLE.*odradek\/core\.wasm as a module/.test(said)) throw new Error(`it was told: ${said}`);
  });
  if (isMeasured === "measure") further.measured = await server.ask("/figures");
  await told("what was acknowledged is there after kill -9", killed);
} finally {
  await server.kill();
  rmSync(directory, { recursive: true, force: true });
}
report(further);

async function killed() {
  let nextOffset = 0;
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    for (let i = 0; i < 5; i += 1) {
      const answer = await server.ask("/keep");
      if (answer.durability !== "power") throw new Error(`the durability was ${answer.durability}`);
      nextOffset = answer.nextOffset;
    }
    await server.kill();
    await server.start();
    // Through a log opened anew, in a new process.
    const { logEndOffset, values } = await server.ask("/kept");
    if (logEndOffset < nextOffset) throw new Error(`${nextOffset} records were acknowledged, ${logEndOffset} are there`);
    const wrong = values.findIndex((value, at) => value !== `v${at % 20}`);
    if (values.length !== logEndOffset || wrong !== -1) throw new Error(`record ${wrong} of ${values.length} is ${values[wrong]}`);
  }
}
