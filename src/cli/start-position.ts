/** kcat's `-o`: where reading begins, or ends, as it is typed. */
import { CommandLineError } from "./cli-error.ts";

export type StartPosition =
  | { readonly kind: "beginning" | "end" | "stored" }
  | { readonly kind: "offset"; readonly offset: number }
  /** So many before the end. */
  | { readonly kind: "last"; readonly count: number }
  | { readonly kind: "time"; readonly timestamp: number };

export interface ReadBounds {
  readonly start: StartPosition;
  /** From the first record of this time on nothing is read any more. */
  readonly stopTimestamp: number | null;
}

/** Every `-o` that was given; the last one that says where to begin counts. */
export function parseBounds(given: readonly string[], otherwise: StartPosition): ReadBounds {
  let start = otherwise;
  let stopTimestamp: number | null = null;
  for (const typed of given) {
    if (typed.startsWith("e@")) stopTimestamp = parseTime(typed.slice(2));
    else start = parseStart(typed);
  }
  return { start, stopTimestamp };
}

export function parseStart(typed: string): StartPosition {
  if (typed === "beginning" || typed === "earliest" || typed === "start") return { kind: "beginning" };
  if (typed === "end" || typed === "latest") return { kind: "end" };
  if (typed === "stored") return { kind: "stored" };
  if (typed.startsWith("s@")) return { kind: "time", timestamp: parseTime(typed.slice(2)) };
  if (typed.startsWith("@")) return { kind: "time", timestamp: parseTime(typed.slice(1)) };
  const number = /^-?[0-9]{1,16}$/.test(typed) ? Number(typed) : Number.NaN;
  if (!Number.isSafeInteger(number)) {
    throw new CommandLineError(
      `-o: expected beginning, end, stored, an offset, -N (the last N), @time, s@time or e@time; found "${typed}"`,
    );
  }
  return typed.startsWith("-") ? { kind: "last", count: -number } : { kind: "offset", offset: number };
}

/** Milliseconds since 1970, or a date as ISO 8601 has it. */
export function parseTime(typed: string): number {
  const timestamp = /^[0-9]{1,16}$/.test(typed) ? Number(typed) : /^\d{4}-/.test(typed) ? Date.parse(typed) : Number.NaN;
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new CommandLineError(`expected a time in milliseconds since 1970 or like 2026-01-31T12:00:00Z, found "${typed}"`);
  }
  return timestamp;
}
