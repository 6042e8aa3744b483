/** What a command is given of the world around it: its streams, its environment, and the polite stop. */
import type { Readable } from "node:stream";
import type { Output } from "./output.ts";

export interface Io {
  readonly out: Output;
  /** A line for the person, never for a program. */
  readonly note: (text: string) => void;
  readonly input: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the person sees the notes as they come. */
  readonly isTerminal: boolean;
  /** Aborted by SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export type CommandOptions = Readonly<Record<string, unknown>>;

/** Answers the exit code; nothing: 0. */
export type Run = (args: readonly string[], options: CommandOptions, io: Io) => Promise<number | undefined>;
