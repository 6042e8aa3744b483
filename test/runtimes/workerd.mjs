/**
 * Serves the suite with workerd on a port of its choice: once in memory, then one Durable Object on disk for each test, then what must
 * hold when the process is killed. Prints one line of JSON.
 */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";

const [program, config, directory, isMeasured] = process.argv.slice(2);
const KILL_ROUNDS = 3;
let server = null;
let outcome = { passed: 0, failed: [] };
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
try {
  server = await serve();
  add(await ask("/"));
  const count = await ask("/count");
  for (let test = 0; test < count; test += 1) add(await ask(`/suite?test=${test}`));
  await told("an object without SQLite is told what to do", async () => {
    const [said] = await ask("/refused");
    if (!/new_sqlite_classes/.test(said)) throw new Error(`it was told: ${said}`);
  });
  await told("bytes of the core, which are not compiled here, are told to come as a module", async () => {
    const [, said] = await ask("/refused");
    if (!/^CORE_UNAVAILABLE.*odradek\/core\.wasm as a module/.test(said)) throw new Error(`it was told: ${said}`);
  });
  if (isMeasured === "measure") outcome.measured = await ask("/figures");
  await told("what was acknowledged is there after kill -9", killed);
} finally {
  server?.child.kill();
  rmSync(directory, { recursive: true, force: true });
}
console.log(JSON.stringify(outcome));

async function killed() {
  let nextOffset = 0;
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    for (let i = 0; i < 5; i += 1) {
      const answer = await ask("/keep");
      if (answer.durability !== "power") throw new Error(`the durability was ${answer.durability}`);
      nextOffset = answer.nextOffset;
    }
    server.child.kill("SIGKILL");
    await server.over;
    server = await serve();
    // Through a log opened anew, in a new process.
    const { logEndOffset, values } = await ask("/kept");
    if (logEndOffset < nextOffset) throw new Error(`${nextOffset} records were acknowledged, ${logEndOffset} are there`);
    const wrong = values.findIndex((value, at) => value !== `v${at % 20}`);
    if (values.length !== logEndOffset || wrong !== -1) throw new Error(`record ${wrong} of ${values.length} is ${values[wrong]}`);
  }
}

async function told(name, body) {
  try {
    await body();
    add({ passed: 1, failed: [] });
  } catch (error) {
    add({ passed: 0, failed: [{ name, problem: String(error) }] });
  }
}

function add({ passed, failed }) {
  outcome = { ...outcome, passed: outcome.passed + passed, failed: [...outcome.failed, ...failed] };
}

async function ask(path) {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

async function serve() {
  const child = spawn(program, ["serve", "--control-fd=3", `--directory-path=disk=${directory}`, config], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const over = new Promise((resolve) => child.on("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    let said = "";
    child.stdio[3].on("data", (piece) => {
      said += piece;
      const found = /"port":\s*(\d+)/.exec(said);
      if (found !== null) resolve(Number(found[1]));
    });
    void over.then((code) => reject(new Error(`workerd ended with ${code} before it listened`)));
  });
  return { child, port, over };
}
