/** The program as a child process: bundled from the sources as they are now, so that no stale build is tested. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { counted, isKept, mapped, parentOf } from "../child-coverage.ts";

export interface Program {
  readonly script: string;
  readonly metafile: Metafile;
  readonly folder: string;
}

export async function bundleProgram(): Promise<Program> {
  const folder = mkdtempSync(join(parentOf(tmpdir()), "odradek-cli-"));
  const { metafile } = await build({
    entryPoints: { cli: "src/cli.ts" },
    bundle: true,
    splitting: true,
    outdir: join(folder, "program"),
    format: "esm",
    platform: "node",
    target: "node20",
    outExtension: { ".js": ".mjs" },
    metafile: true,
    ...mapped,
    logLevel: "error",
  });
  return { script: join(folder, "program/cli.mjs"), metafile, folder };
}

export function removeProgram({ folder }: Program): void {
  if (!isKept) rmSync(folder, { recursive: true, force: true });
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Close standard output after so many bytes, as `head` does. */
  readonly closeAfterBytes?: number;
  /** Called with each piece of standard output. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export function runProgram(program: Program, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { ODRADEK_DIR: _, ODRADEK_DEBUG: __, ...env } = process.env;
  const child = spawn(process.execPath, [program.script, ...args], {
    env: { ...env, ...counted, ...options.env },
    cwd: options.cwd,
    stdio: "pipe",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString("utf8");
    if (options.closeAfterBytes !== undefined && stdout.length >= options.closeAfterBytes) child.stdout.destroy();
    options.onOutput?.(stdout, (signal) => child.kill(signal));
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  // A program that needs no input may end before it was given any.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Of every name and every byte below a directory, and of when each was last changed. */
export function directoryHash(directory: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }).sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    const path = join(entry.parentPath, entry.name);
    hash.update(`${path} ${statSync(path).mtimeMs}\n`);
    if (entry.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}

export const lines = (text: string): string[] => text.split("\n").slice(0, -1);

export const objects = (text: string): Record<string, unknown>[] => lines(text).map((line) => JSON.parse(line) as Record<string, unknown>);
