/** workerd on a port of its choice, with a disk: started, asked, killed, started again. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { inTime } from "./told.mjs";

const startMsMax = 20_000;
const answerMsMax = 60_000;
const endMsMax = 10_000;

export class WorkerdServer {
  #command;
  #child = null;
  #over = null;
  #port = 0;

  /** `disk`: a directory, made when it is not there. */
  constructor(program, config, disk) {
    mkdirSync(disk, { recursive: true });
    this.#command = [program, ["serve", "--control-fd=3", `--directory-path=disk=${disk}`, config]];
  }

  /** Resolves when it listens. */
  async start() {
    const [program, args] = this.#command;
    const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "pipe"] });
    this.#child = child;
    this.#over = new Promise((resolve) => {
      child.once("exit", resolve);
      child.once("error", resolve);
    });
    const listening = new Promise((resolve, reject) => {
      let said = "";
      child.stdio[3].on("data", (piece) => {
        said += piece;
        const found = /"port":\s*(\d+)/.exec(said);
        if (found !== null) resolve(Number(found[1]));
      });
      void this.#over.then((how) => reject(new Error(`workerd ended with ${how} before it listened`)));
    });
    this.#port = await inTime(startMsMax, "workerd, to listen", listening);
  }

  /** A response, whatever its status; rejects when none comes. */
  fetch(path, init = {}) {
    return fetch(`http://127.0.0.1:${this.#port}${path}`, { ...init, signal: AbortSignal.timeout(answerMsMax) });
  }

  /** The JSON of a response that is not an error. */
  async ask(path, init) {
    const response = await this.fetch(path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** At once, as a power cut would. */
  async kill() {
    if (this.#child === null) return;
    this.#child.kill("SIGKILL");
    await inTime(endMsMax, "workerd, to end", this.#over);
    this.#child = null;
  }
}
