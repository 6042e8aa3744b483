/** The program's commands in this very process: as main() runs them, on streams of the test's own. */
import { Readable, Writable } from "node:stream";
import { CommandLineError, failureOf } from "../../src/cli/cli-error.ts";
import type { Io } from "../../src/cli/io.ts";
import { Output } from "../../src/cli/output.ts";
import { parse } from "../../src/cli/program.ts";
import { CommanderError } from "../../src/vendor/cli.js";

export interface Said {
  readonly code: number;
  readonly out: string;
  /** What was noted for the person, and the sentence of a failure. */
  readonly notes: string;
}

export interface SessionOptions {
  readonly input?: string | Readable;
  /** Called with all that was printed so far. */
  readonly onOutput?: (text: string) => void;
  readonly isTerminal?: boolean;
  readonly signal?: AbortSignal;
}

/** `words` behind the program's name, one string a word; `--dir` is put in front of them. */
export async function say(directory: string, words: readonly string[], options: SessionOptions = {}): Promise<Said> {
  const pieces: Buffer[] = [];
  const notes: string[] = [];
  const stream = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(Buffer.from(piece));
      options.onOutput?.(Buffer.concat(pieces).toString("utf8"));
      done();
    },
  });
  const out = new Output(stream);
  const io: Io = {
    out,
    note: (text) => void notes.push(text),
    input: options.input instanceof Readable ? options.input : Readable.from([Buffer.from(options.input ?? "")]),
    env: {},
    isTerminal: options.isTerminal ?? false,
    signal: options.signal ?? new AbortController().signal,
  };
  let code = 0;
  try {
    const chosen = await parse(
      [...words, "--dir", directory],
      (text) => out.bytes(Buffer.from(text)),
      (text) => void notes.push(text),
    );
    code = (await chosen.run(chosen.args, chosen.options, io)) ?? 0;
  } catch (error) {
    const failure = error instanceof CommanderError ? failureOf(new CommandLineError(error.message)) : failureOf(error);
    code = failure.exitCode;
    notes.push(`${failure.code}: ${failure.message}`);
  }
  await out.flush();
  return { code, out: Buffer.concat(pieces).toString("utf8"), notes: notes.join("\n") };
}
