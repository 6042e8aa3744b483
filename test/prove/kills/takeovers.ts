/**
 * An owner and eight that are attached, all writing: the owner is killed, then its successor, and so on. One takes over each time, and what
 * anybody was told stands in the files, once: a reader that is not ours looks, after the last of them was killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Breach, Failure, Tally } from "../prover.ts";
import { checkTold, type Told } from "./takeover-remains.ts";

const CHILD = fileURLToPath(new URL("takeover-child.mjs", import.meta.url));
const ATTACHED = 8;
const PARTITIONS = 3;
/** Whoever is not at work by then hangs. A machine at rest needs a fifth of a second for a takeover; provers have company. */
const PATIENCE_MS = 20_000;

export interface TakeoverPlace {
  readonly directory: string;
  readonly entry: string;
  readonly random: SeededRandom;
  /** Beyond which a takeover is a failure. */
  readonly takeoverMsMax: number;
  readonly say: (line: string) => void;
}

/** One of the processes, and all that it said. */
class Member implements Told {
  readonly process: ChildProcess;
  readonly acknowledged: Told["acknowledged"][number][] = [];
  readonly transactions: Map<string, string> = new Map();
  readonly wrongs: string[] = [];
  isOpen = false;
  isAlive = true;
  /** Of the last of each kind; 0: none. */
  becameMs = 0;
  acknowledgedCount = 0;
  readonly #onLine: () => void;
  readonly over: Promise<void>;

  constructor(plan: object, onLine: () => void) {
    this.#onLine = onLine;
    this.process = spawn(process.execPath, [CHILD, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "pipe"] });
    let rest = "";
    this.process.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
      this.#onLine();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (chunk: string) => this.wrongs.push(`stderr: ${chunk.slice(0, 500)}`));
    this.over = new Promise((resolve) => {
      this.process.on("close", () => {
        if (this.isAlive) this.wrongs.push("ended by itself");
        this.isAlive = false;
        this.#onLine();
        resolve();
      });
    });
  }

  async kill(): Promise<void> {
    this.isAlive = false;
    this.process.kill("SIGKILL");
    await this.over;
  }

  #hear(line: string): void {
    const [word = "", first = "", second = "", third = ""] = line.split(" ");
    if (word === "open") this.isOpen = true;
    else if (word === "owner.became") this.becameMs = Number(first);
    else if (word === "ack") {
      this.acknowledgedCount += 1;
      this.acknowledged.push({ partition: first, offset: Number(second), value: third });
    } else if (word === "begin" || word === "committed" || word === "aborted") this.transactions.set(first, word);
    else if (word === "wrong") this.wrongs.push(JSON.parse(line.slice(6)) as string);
  }
}

/** As many takeovers as chance says; each killed owner counts. */
export async function runTakeovers({ directory, entry, random, takeoverMsMax, say }: TakeoverPlace): Promise<Tally> {
  const failures: Failure[] = [];
  const tell = (breach: Breach, what: string): void => void failures.push({ breach, what: `takeovers: ${what}` });
  let onLines = (): void => {};
  const members = Array.from(
    { length: ATTACHED + 1 },
    (_, index) =>
      new Member({ entry, directory, name: `m${index}`, partitions: PARTITIONS, pauseMs: random.integer(0, 6) }, () => onLines()),
  );
  const until = (isSo: () => boolean): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), PATIENCE_MS);
      onLines = () => {
        if (!isSo() && !members.some(({ wrongs }) => wrongs.length > 0)) return;
        clearTimeout(timer);
        resolve(true);
      };
      onLines();
    });
  let killCycles = 0;
  try {
    const living = (): Member[] => members.filter(({ isAlive }) => isAlive);
    if (!(await until(() => living().every(({ isOpen }) => isOpen)))) tell("other", "not all of them came in");
    for (let kills = random.integer(1, 4); kills > 0 && failures.length === 0; kills -= 1) {
      const marks = new Map(living().map((member) => [member, member.acknowledgedCount]));
      const isAtWork = (): boolean => living().every((member) => member.acknowledgedCount > (marks.get(member) ?? 0) + 2);
      if (!(await until(isAtWork))) tell("other", "not all of them got an acknowledgement");
      await new Promise((resolve) => setTimeout(resolve, random.integer(0, 150)));
      const owner = members.find(({ process }) => process.pid === ownerOf(directory));
      if (owner === undefined) {
        tell("other", "C6: the lock names nobody of them");
        break;
      }
      const killedMs = Date.now();
      await owner.kill();
      killCycles += 1;
      const successors = (): Member[] => living().filter(({ becameMs }) => becameMs >= killedMs);
      if (!(await until(() => successors().length > 0))) tell("other", "nobody took over");
      const tookMs = (successors()[0]?.becameMs ?? Number.NaN) - killedMs;
      say(`takeovers: ${living().length} left; the next owner after ${tookMs} ms`);
      if (tookMs > takeoverMsMax) tell("other", `the next owner was there after ${tookMs} ms, expected at most ${takeoverMsMax} ms`);
      for (const member of living()) marks.set(member, member.acknowledgedCount);
      if (!(await until(isAtWork))) tell("other", "not all of them went on with the next owner");
      if (successors().length > 1) tell("other", `C6: ${successors().length} of them became the owner`);
    }
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
  for (const { wrongs } of members) for (const wrong of wrongs) tell("other", wrong);
  checkTold(directory, members, tell);
  const acknowledged = members.reduce((sum, member) => sum + member.acknowledged.length, 0);
  say(`takeovers: ${killCycles} owners killed, ${acknowledged} records acknowledged`);
  return { counts: { killCycles }, failures };
}

function ownerOf(directory: string): number | undefined {
  const path = join(directory, ".odradek-lock");
  if (!existsSync(path)) return undefined;
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { readonly pid?: number }).pid;
  } catch {
    return undefined;
  }
}
