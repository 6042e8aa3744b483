/** The data directory that a command works on: which one, whether it is there, and how it is opened. */
import { stat } from "node:fs/promises";
import type { Odradek, OdradekEvent } from "../api/odradek.ts";
import { open } from "../index.ts";
import { CommandLineError } from "./cli-error.ts";
import type { CommandOptions, Io } from "./io.ts";

const DEFAULT_DIRECTORY = "./data";

/** Events that a person should hear of, whatever they asked for. */
const TOLD: ReadonlySet<string> = new Set([
  "recovery.cut",
  "recovery.damage",
  "partition.failed",
  "offset.clamped",
  "book.rebuilt",
  "book.ignored",
  "snapshot.ignored",
  "txnindex.rebuilt",
  "lock.lost",
  "storage.failed",
]);

export function directoryOf(options: CommandOptions, io: Io): string {
  const given = options["dir"] ?? (io.env["ODRADEK_DIR"] || undefined) ?? DEFAULT_DIRECTORY;
  if (given === "") throw new CommandLineError("--dir: expected the path of a data directory, found an empty one");
  return String(given);
}

/** A command that only looks must not make a directory, and one that misspells it should hear so. */
export async function existingDirectory(options: CommandOptions, io: Io): Promise<string> {
  const path = directoryOf(options, io);
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(path)).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    throw new CommandLineError(`there is no data directory ${path}; --dir or ODRADEK_DIR says which one is meant`, "FILE_NOT_FOUND");
  }
  if (!isDirectory)
    throw new CommandLineError(`${path} is not a directory; --dir or ODRADEK_DIR says which one is meant`, "NOT_A_DIRECTORY");
  return path;
}

/** Opened to be read: no lock, and not a byte is changed. */
export async function withReadOnly<T>(options: CommandOptions, io: Io, work: (log: Odradek) => Promise<T>): Promise<T> {
  return withLog(await existingDirectory(options, io), io, true, work);
}

/** Opened to be changed, under the lock. */
export async function withWritable<T>(options: CommandOptions, io: Io, work: (log: Odradek) => Promise<T>): Promise<T> {
  return withLog(await existingDirectory(options, io), io, false, work);
}

export async function withLog<T>(path: string, io: Io, readOnly: boolean, work: (log: Odradek) => Promise<T>): Promise<T> {
  const log = await open(path, { readOnly, signal: io.signal, onEvent: (event) => tell(event, io) });
  let result: T;
  try {
    result = await work(log);
  } catch (error) {
    // The first failure is the one to tell of.
    await log.close().catch(() => {});
    throw error;
  }
  await log.close();
  return result;
}

function tell(event: OdradekEvent, io: Io): void {
  if (!TOLD.has(event.type)) return;
  const { type, timestamp: _, partition, ...fields } = event;
  const where = partition === undefined ? "" : ` ${partition.topic}-${partition.partition}`;
  const said = Object.entries(fields).map(([name, value]) => `${name} ${value instanceof Error ? value.message : String(value)}`);
  io.note(`${type}${where}: ${said.join(", ")}`);
}
