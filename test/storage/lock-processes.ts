/** Child processes for the tests of locks: Node 20 cannot run our sources, so one bundle is made of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { counted, isKept, mapped, parentOf } from "../child-coverage.ts";

export interface Answer {
  readonly held: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly holder?: { readonly pid?: number; readonly argv?: readonly string[]; readonly runtime?: string };
}

/** Where the bundle is; beside it `lock.mjs`, the lock alone. */
export async function bundleOpener(): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(parentOf(tmpdir()), "odradek-opener-"));
  const path = join(directory, "opener.mjs");
  const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
  await build({
    entryPoints: { opener: here("lock-opener.ts"), lock: here("../../src/storage/node-lock.ts") },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    outdir: directory,
    outExtension: { ".js": ".mjs" },
    logLevel: "error",
    ...mapped,
  });
  return { path, remove: () => (isKept ? Promise.resolve() : rm(directory, { recursive: true })) };
}

/** One child. Orders are answered in the order they were given. */
export class Opener {
  readonly process: ChildProcess;
  readonly #answers: ((answer: Answer | null) => void)[] = [];
  readonly #exited: Promise<unknown>;
  /** Its own word, which may come from another pid namespace. */
  pid = 0;
  held = false;
  dead = false;

  constructor(process: ChildProcess) {
    this.process = process;
    this.#exited = once(process, "exit").then(() => {
      this.dead = true;
      for (const answer of this.#answers.splice(0)) answer(null);
    });
    createInterface({ input: process.stdout! }).on("line", (line) => this.#answers.shift()?.(JSON.parse(line)));
    process.stdin!.on("error", () => {});
  }

  /** Resolves when the child waits for orders. `wrap`: a command to run it under. */
  static async start(bundle: string, wrap: readonly string[] = [], nodeArguments: readonly string[] = []): Promise<Opener> {
    const [command, ...rest] = [...wrap, process.execPath, ...nodeArguments, bundle];
    const opener = new Opener(spawn(command!, rest, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...counted } }));
    const hello = (await opener.#answer()) as { readonly pid?: number } | null;
    if (hello?.pid === undefined) throw new Error(`${command} ${rest.join(" ")} ended before it said hello`);
    opener.pid = hello.pid;
    return opener;
  }

  async order(order: object): Promise<Answer | null> {
    const answer = this.#answer();
    this.process.stdin!.write(`${JSON.stringify(order)}\n`);
    const answered = await answer;
    this.held = answered?.held ?? false;
    return answered;
  }

  /** Resolves when it is gone. Its locks are too, or the kernel does not keep its word. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.held = false;
    if (!this.dead) this.process.kill(signal);
    await this.#exited;
  }

  #answer(): Promise<Answer | null> {
    return new Promise((resolve) => {
      if (this.dead) resolve(null);
      else this.#answers.push(resolve);
    });
  }
}
