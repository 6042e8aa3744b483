/** Words of the command line made into what commands use, each refused with a sentence that says what was expected. */
import { CommandLineError } from "./cli-error.ts";
import type { CommandOptions } from "./io.ts";

export function wholeNumber(typed: string, what: string, least: number): number {
  const value = /^-?[0-9]{1,16}$/.test(typed) ? Number(typed) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least)
    throw new CommandLineError(`${what}: expected a whole number from ${least} to 2^53-1, found "${typed}"`);
  return value;
}

export function optionalNumber(options: CommandOptions, name: string, what: string, least: number): number | undefined {
  const typed = options[name];
  return typed === undefined ? undefined : wholeNumber(String(typed), what, least);
}

export function listOf(options: CommandOptions, name: string): readonly string[] {
  const given = options[name];
  return given === undefined ? [] : (given as readonly string[]);
}

export function textOf(options: CommandOptions, name: string): string | undefined {
  const given = options[name];
  return given === undefined ? undefined : String(given);
}

/** `name=value`; a value may hold further `=`. */
export function parsePair(typed: string, what: string): readonly [name: string, value: string] {
  const at = typed.indexOf("=");
  if (at <= 0) throw new CommandLineError(`${what}: expected name=value, found "${typed}"`);
  return [typed.slice(0, at), typed.slice(at + 1)];
}

/** The topic, given by its place or by -t; the rest of the words. */
export function takeTopic(args: readonly string[], options: CommandOptions): { readonly topic: string; readonly rest: readonly string[] } {
  const named = textOf(options, "topic");
  if (named !== undefined) return { topic: named, rest: args };
  const [topic, ...rest] = args;
  if (topic === undefined) throw new CommandLineError("expected a topic, by its place or with -t; found none");
  return { topic, rest };
}

export function refuseRest(rest: readonly string[]): void {
  if (rest.length > 0) throw new CommandLineError(`found more words than expected: "${rest.join(" ")}"`);
}
