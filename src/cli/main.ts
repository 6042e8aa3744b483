/** Runs the command line: parses it, runs the command, and makes of whatever happens a sentence and an exit code. */
import { inspect } from "node:util";
import { CommanderError } from "../vendor/cli.js";
import { CommandLineError, EXIT_FAILURE, EXIT_OK, EXIT_USAGE, failureOf, PipeClosedError } from "./cli-error.ts";
import type { Io } from "./io.ts";
import { jsonText } from "./json-text.ts";
import { Output } from "./output.ts";
import { parse } from "./program.ts";

/** Answers the exit code. */
export async function main(words: readonly string[]): Promise<number> {
  const out = new Output(process.stdout);
  // Nobody is left to tell when standard error has gone.
  process.stderr.on("error", () => {});
  const isJson = words.includes("--json");
  const stop = new AbortController();
  let exitCode = EXIT_OK;
  const onSignal = (): void => {
    stop.abort(new CommandLineError("stopped"));
    // The second one is the system's.
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const io: Io = {
    out,
    note: (text) => void process.stderr.write(`odradek: ${text}\n`),
    input: process.stdin,
    env: process.env,
    isTerminal: process.stderr.isTTY === true && process.stdin.isTTY !== true,
    signal: stop.signal,
  };
  let complaint = "";
  try {
    const chosen = await parse(
      words,
      (text) => out.bytes(Buffer.from(text)),
      (text) => (complaint += text),
    );
    exitCode = (await chosen.run(chosen.args, chosen.options, io)) ?? EXIT_OK;
    await out.flush();
  } catch (error) {
    exitCode = await failed(error, out, { isJson, complaint, isStopped: stop.signal.aborted });
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    // A terminal or a pipe that is still open would keep the process waiting for words that nobody asks for.
    process.stdin.destroy();
  }
  return exitCode;
}

async function failed(
  error: unknown,
  out: Output,
  { isJson, complaint, isStopped }: { readonly isJson: boolean; readonly complaint: string; readonly isStopped: boolean },
): Promise<number> {
  if (error instanceof PipeClosedError) return EXIT_OK;
  // What was printed before the failure stands before the sentence about it.
  await out.flush().catch(() => {});
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT_OK;
    // No command was named: the help that was asked for by saying nothing.
    if (complaint !== "") process.stderr.write(complaint);
    else tell(new CommandLineError(error.message.replace(/^error: /u, "").replace(/\s*\n\s*/gu, " ")), isJson);
    return EXIT_USAGE;
  }
  if (isStopped) return EXIT_FAILURE;
  return tell(error, isJson);
}

function tell(error: unknown, isJson: boolean): number {
  const { exitCode, code, message, details } = failureOf(error);
  if (isJson) process.stderr.write(`${jsonText({ error: { code, message, ...details } })}\n`);
  else process.stderr.write(`odradek: ${code}: ${message}\n`);
  if (process.env["ODRADEK_DEBUG"]) process.stderr.write(`${inspect(error)}\n`);
  return exitCode;
}
