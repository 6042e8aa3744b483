/** The little of commander that is used; the code beside this file is made by `scripts/build-vendor.mjs`. */

export declare class CommanderError extends Error {
  readonly code: string;
  readonly exitCode: number;
}

/** Thrown by a parser of one value: the message becomes part of the sentence that names the option. */
export declare class InvalidArgumentError extends Error {
  constructor(message: string);
}

export declare class Option {
  constructor(flags: string, description?: string);
  argParser(parse: (value: string, previous: never) => unknown): this;
  default(value: unknown, description?: string): this;
  choices(values: readonly string[]): this;
  hideHelp(hide?: boolean): this;
}

export declare class Command {
  constructor(name?: string);
  readonly args: string[];
  readonly parent: Command | null;
  name(): string;
  name(name: string): this;
  description(text: string): this;
  usage(text: string): this;
  argument(flags: string, description?: string): this;
  addOption(option: Option): this;
  command(name: string): Command;
  helpCommand(enabled: boolean): this;
  helpOption(flags: string, description?: string): this;
  version(version: string, flags?: string, description?: string): this;
  action(run: (...args: never[]) => Promise<void>): this;
  addHelpText(where: "after", text: string): this;
  exitOverride(): this;
  showSuggestionAfterError(show?: boolean): this;
  configureOutput(output: {
    writeOut?: (text: string) => void;
    writeErr?: (text: string) => void;
    outputError?: (text: string, write: (text: string) => void) => void;
  }): this;
  allowExcessArguments(allow: boolean): this;
  optsWithGlobals(): Record<string, unknown>;
  parseAsync(argv: readonly string[], options: { readonly from: "user" }): Promise<this>;
}
