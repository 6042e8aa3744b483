/** Runs a program and says how it ended: the one place where the scripts of this folder start processes. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { killWithDescendants } from "./descendants.mjs";

/** Between the signal that ends a program which took too long and giving up on what it may still say. */
const graceMs = 5_000;

/** The folder of package.json. */
export const projectRoot = fileURLToPath(new URL("..", import.meta.url));

/**
 * Resolves to `{ code, output }`; never rejects for an exit code. With `inherit`, the program writes to our own terminal and `output` is empty.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, inherit?: boolean, timeoutMs?: number, timeoutSignal?: NodeJS.Signals }} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? projectRoot,
      env: { ...process.env, ...options.env },
      stdio: [options.inherit ? "inherit" : "ignore", options.inherit ? "inherit" : "pipe", options.inherit ? "inherit" : "pipe"],
    });
    const pieces = [];
    child.stdout?.on("data", (piece) => pieces.push(piece));
    child.stderr?.on("data", (piece) => pieces.push(piece));
    const expire = () => {
      const isAsked = options.timeoutSignal !== undefined && options.timeoutSignal !== "SIGKILL";
      if (isAsked) child.kill(options.timeoutSignal);
      else killWithDescendants(child.pid);
      setTimeout(() => {
        if (child.exitCode === null && child.signalCode === null) killWithDescendants(child.pid);
        // What lost its parent before may live on with its ends of the pipes, and would be waited for.
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, graceMs).unref();
    };
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(expire, options.timeoutMs);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(pieces).toString("utf8");
      resolve({ code: code ?? 128, output: signal === null ? output : `${output}\n(ended by ${signal})` });
    });
  });
}

/**
 * Runs a script of node's and answers like `run`.
 * @param {string} script
 * @param {readonly string[]} [args]
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runNode(script, args = [], options = {}) {
  return run(process.execPath, [script, ...args], options);
}
