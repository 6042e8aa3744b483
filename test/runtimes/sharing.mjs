/** Starts processes of any runtime that share a directory (sharer.mjs), and hears what each says. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SHARER = fileURLToPath(new URL("sharer.mjs", import.meta.url));
const PATIENCE_MS = 15_000;

export class Sharer {
  lines = [];
  #waiting = [];
  #isOver = false;

  /** `command`: a runtime and its flags. */
  constructor(command, directory, name, options = { attach: true }) {
    const [program, ...flags] = command;
    this.name = name;
    this.process = spawn(program, [...flags, SHARER, directory, name, JSON.stringify(options)], { stdio: ["pipe", "pipe", "pipe"] });
    this.said = "";
    let rest = "";
    this.process.stdout.setEncoding("utf8").on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      for (const line of lines) this.lines.push(JSON.parse(line));
      this.#look();
    });
    this.process.stderr.on("data", (chunk) => {
      this.said += chunk;
    });
    this.process.stdin.on("error", () => {});
    this.over = new Promise((resolve) => {
      this.process.on("close", () => {
        this.#isOver = true;
        this.#look();
        resolve();
      });
    });
  }

  get acknowledged() {
    return this.lines.filter(({ offset }) => offset !== undefined);
  }

  /** The first line for which `isIt` holds, said already or to come. */
  hears(what, isIt, patienceMs = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const fail = (why) =>
        reject(new Error(`${this.name}: ${what}: ${why}; it said ${JSON.stringify(this.lines.slice(-3))} ${this.said}`));
      const timer = setTimeout(() => fail(`not within ${patienceMs} ms`), patienceMs);
      this.#waiting.push(() => {
        const found = this.lines.find(isIt);
        if (found === undefined && !this.#isOver) return false;
        clearTimeout(timer);
        if (found === undefined) fail("it ended before");
        else resolve(found);
        return true;
      });
      this.#look();
    });
  }

  /** Waits for `count` more acknowledgements. */
  async goesOn(count = 5) {
    const from = this.acknowledged.length;
    await this.hears("to go on", () => this.acknowledged.length >= from + count);
  }

  async ends() {
    this.process.stdin.write("end\n");
    // Who does not come to its end is ended; whoever reads what it said sees that.
    const timer = setTimeout(() => this.process.kill("SIGKILL"), PATIENCE_MS);
    await this.over;
    clearTimeout(timer);
  }

  async kill() {
    this.process.kill("SIGKILL");
    await this.over;
  }

  #look() {
    this.#waiting = this.#waiting.filter((look) => !look());
  }
}

/** Kills the owner among `sharers`; answers the one of the others that took over, and after how many milliseconds. */
export async function killOwner(owner, sharers) {
  const others = sharers.filter((each) => each !== owner);
  const killedMs = Date.now();
  const counts = others.map((each) => each.acknowledged.length);
  await owner.kill();
  const became = ({ event, atMs }) => event === "owner.became" && atMs >= killedMs;
  const next = await Promise.any(others.map((each) => each.hears("to become the owner", became).then(() => each)));
  // Whatever was answered before, and not read yet, does not count.
  await Promise.all(
    others.map((each, index) => each.hears("to go on with the next owner", () => each.acknowledged.length >= counts[index] + 20)),
  );
  const winners = others.filter((each) => each.lines.some(became));
  if (winners.length !== 1) throw new Error(`${winners.length} became the owner`);
  return { next, tookMs: next.lines.find(became).atMs - killedMs };
}

/** Throws unless every acknowledged record is where it was said to be, and none is there twice. */
export async function checkAll(odradek, directory, sharers) {
  const log = await odradek.open(directory);
  const consumer = log.consumer({ value: odradek.utf8 });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const found = [];
  for await (const { value } of consumer.records({ until: "end" })) found.push(value);
  await log.close();
  if (new Set(found).size !== found.length) throw new Error("a record is there twice");
  for (const { offset, value } of sharers.flatMap(({ acknowledged }) => acknowledged)) {
    if (found[offset] !== value) throw new Error(`${value} was acknowledged at ${offset}, found ${found[offset]}`);
  }
  for (const { name, lines } of sharers) {
    const refused = lines.find((line) => line.refused !== undefined);
    if (refused !== undefined) throw new Error(`${name} was refused: ${JSON.stringify(refused)}`);
  }
}
