/** Processes that share a directory, for the tests of attaching: Node 20 cannot run our sources, so a bundle is made of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { counted, isKept, mapped, parentOf } from "../child-coverage.ts";

export interface Told {
  readonly events: readonly { readonly type: string; readonly atMs: number }[];
  readonly acked: readonly { readonly value: string; readonly partition: number; readonly offset: number; readonly atMs: number }[];
  readonly rejected: readonly { readonly value: string; readonly code: string; readonly retriable: boolean }[];
  readonly seen: readonly string[];
}

export interface ToldError {
  readonly error?: { readonly code: string; readonly message: string; readonly holder: { readonly pid?: number } | null };
}

const folders: string[] = [];
const children = new Set<Child>();
let bundle: Promise<string> | null = null;

async function makeBundle(): Promise<string> {
  const folder = mkdtempSync(join(parentOf(tmpdir()), "odradek-attached-"));
  if (!isKept) folders.push(folder);
  const outfile = join(folder, "child.mjs");
  const entry = fileURLToPath(new URL("attached-child.ts", import.meta.url));
  const shape = { bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "error" } as const;
  await build({ entryPoints: [entry], outfile, ...shape, ...mapped });
  return outfile;
}

export class Child {
  readonly process: ChildProcess;
  readonly #answers: ((answer: unknown) => void)[] = [];
  readonly #exited: Promise<unknown>;

  private constructor(process: ChildProcess) {
    this.process = process;
    this.#exited = once(process, "exit");
    createInterface({ input: process.stdout as NodeJS.ReadableStream }).on("line", (line) => this.#answers.shift()?.(JSON.parse(line)));
    process.stdin?.on("error", () => {});
  }

  static async start(): Promise<Child> {
    bundle ??= makeBundle();
    const child = new Child(
      spawn(process.execPath, [await bundle], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...counted } }),
    );
    children.add(child);
    await child.#answer();
    return child;
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** Answers in the order of the orders. */
  async order<T = ToldError>(order: object): Promise<T> {
    const answer = this.#answer();
    this.process.stdin?.write(`${JSON.stringify(order)}\n`);
    return (await answer) as T;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** Has no more orders for it: then it must end by itself, in order. */
  async ends(): Promise<void> {
    children.delete(this);
    this.process.stdin?.end();
    const [code] = (await this.#exited) as [number | null];
    if (code !== 0) throw new Error(`expected the process to end with 0, found ${String(code)}`);
  }

  async kill(): Promise<void> {
    children.delete(this);
    this.process.kill("SIGKILL");
    await this.#exited;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve) => this.#answers.push(resolve));
  }
}

/** For `afterEach`. */
export async function killAll(): Promise<void> {
  await Promise.all([...children].map((child) => child.kill()));
}

/** For `afterAll`. */
export function removeBundle(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  bundle = null;
}
